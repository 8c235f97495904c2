"""The proof of a declaration: numerical derivatives, and the checks that every op of the table passes.

`samples` makes the inputs that ops declare, `sample_call` calls an op on them in several dtypes, layouts and places,
`numerical` compares gradients with differences, `special` examines those at kinks and infinities, `sizes` 0-d and empty
inputs, `kept` what the graph keeps alive, and `checks` runs them all on an op.
"""
