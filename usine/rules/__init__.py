"""Rules on a change: pure functions over plain values. What a change may do, before anything is done."""
