# cmake -DOUT=FILE.c -DIN="A.sql;B.sql" -P embed_sql.cmake
# Writes the schema files as byte strings, in the order given. The number in
# front of a file's name is the schema version that it leads to.
set(text "#include \"outbox/migrate.h\"\n\n#include <stddef.h>\n\n")
set(table "")
foreach(file IN LISTS IN)
    get_filename_component(name ${file} NAME_WE)
    string(REGEX MATCH "^[0-9]+" number ${name})
    string(REGEX REPLACE "^0+" "" version ${number})
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND text "static const char sql_${number}[] = {${bytes}0};\n")
    string(APPEND table "    {${version}, \"${name}\", sql_${number}},\n")
endforeach()
string(APPEND text
    "\nconst struct migration migrations[] = {\n${table}    {0, NULL, NULL},\n};\n")
file(WRITE ${OUT} "${text}")
