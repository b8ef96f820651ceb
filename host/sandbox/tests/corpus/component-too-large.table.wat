;; A larger table from its start on than can be granted.
(component
  (core module $m (table 10000000 funcref))
  (core instance (instantiate $m))
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
