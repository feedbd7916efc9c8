"""Events of two samples as points, their permutations, and the time that these take."""
