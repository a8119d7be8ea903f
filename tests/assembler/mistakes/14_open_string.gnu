14_open_string.s: Assembler messages:
14_open_string.s: Warning: end of file in string; '"' inserted
14_open_string.s:5: Warning: unterminated string; newline inserted
14_open_string.s:6: Warning: unterminated string; newline inserted
