(nothing: it is assembled)
