"""From counts to groups: easy, learnable, unlearnable, and how sure that is."""
