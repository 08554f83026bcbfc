"""Every contact with OpenRLHF: launcher, plugin, hooks, patches, adapters, CPU."""
