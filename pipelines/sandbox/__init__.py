"""A stand-in for the providers: their APIs, over a small world that lives and changes.

Nobody can make the real providers change a holder between two pages, or say afterwards what was
true in between. This world can: it keeps every state it ever had, with the time it began, so that
a snapshot can be judged against the truth and not against the code that took it.
Known to the demo, the tests and the benchmarks alone; nothing that takes snapshots imports it.
"""
