"""What a provider can do wrong, made on purpose: each fault changes an answer on its way out.

`schedule` says which requests a fault strikes, `wire` breaks the delivery, `statuses` the status,
`bodies` the rows and what surrounds them. `sandbox.fault = Faults()` puts them in place.
"""
