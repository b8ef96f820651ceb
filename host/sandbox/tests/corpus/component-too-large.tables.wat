;; More tables than one instance may have.
(component
  (core module $m (table 1 funcref) (table 1 funcref) (table 1 funcref))
  (core instance (instantiate $m))
  (core instance (instantiate $m))
  (core instance (instantiate $m))
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
