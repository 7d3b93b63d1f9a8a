"""Files of messages: fetched, examined, uploaded, handed out, cleared away."""
