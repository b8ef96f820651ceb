;; It asks for what the host has, of other types.
(component
  (import "wasi:cli/environment@0.2.0" (instance (export "get-environment" (func (result u32)))))
  (instance $empty)
  (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))
