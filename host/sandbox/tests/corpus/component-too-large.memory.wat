;; More memory from its start on than can be granted.
(component
  (core module $m (memory 65536))
  (core instance (instantiate $m))
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
