"""What recurrent layers keep: states by step, responses to words, co-clusters, memory, causes."""
