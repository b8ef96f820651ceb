;; It exports what it has not.
(component
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
