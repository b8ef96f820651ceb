;; More memories than one instance may have.
(component
  (core module $m (memory 1) (memory 1) (memory 1))
  (core instance (instantiate $m))
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
