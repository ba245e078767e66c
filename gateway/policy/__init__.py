"""May this go, and when? One pure function, `gate.decide(facts, now)`; explain, dispatch and tests all call it.

Each rule is a function of the facts and an instant that answers with one `Ruling`; the gate asks them in the
fixed order and stops at the first that does not pass. Nothing here reads a clock or a store.
"""
