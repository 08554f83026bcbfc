"""What OpenRLHF needs to run where there is no GPU."""
