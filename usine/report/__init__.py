"""What a diff, a run or a look for drift found, as plain values, and the forms it is shown in."""
