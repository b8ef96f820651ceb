;; Nothing to run.
(component)
