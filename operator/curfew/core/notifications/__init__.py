"""Who is told what: records become messages. Pure: how a message looks and travels is decided elsewhere."""
