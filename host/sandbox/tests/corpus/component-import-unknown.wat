;; It asks for what no host has.
(component (import "nobody:offers/this@1.0.0" (instance)))
