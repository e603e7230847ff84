# The README's program is the one that is built and run, to the letter.
file(READ ${README} readme)
file(READ ${SOURCE} source)
string(FIND "${readme}" "${source}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "README.md does not show tests/example/till.c as it is")
endif()
