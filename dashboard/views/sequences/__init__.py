"""What hidden states remember: which words move which units, sequence by sequence, and how long it lasts."""
