"""What a declaration proves: numerical derivatives, and the checks that every op of the table passes.

`samples` makes the inputs that ops declare, `sample_call` repeats an op's call on them in other dtypes, layouts and
places, `numerical` compares gradients with differences, `special` looks at those at kinks and infinities, `sizes` at
0-d and empty inputs, `kept` at what the graph keeps alive, and `checks` runs them all over an op.
"""
