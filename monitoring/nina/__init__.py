"""The rig: one night of a telescope, told by NINA's events.

events: what NINA sends becomes one kind of event. machine: events become a state. unified: the state becomes
the object that every face shows. store: the journal. listener: the connection that never gives up.
"""
