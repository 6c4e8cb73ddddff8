"""One file per API: the versions it speaks, what they mean, and what is left out."""
