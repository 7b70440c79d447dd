"""For instructors: agendas whose minutes add up, slides, and where the room is stuck."""
