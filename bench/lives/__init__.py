"""What an operator makes of a request's life, on real servers, beside a floor: the least that any operator must do."""
