"""What the machine has and lacks: cores, a locale, a home for caches, Ray's logical GPUs."""
