# Fails on an include that points up the layers, or on the header of a third
# party outside the module that alone may know it.
#   cmake -DROOT=DIR -P check_layers.cmake

# LAYER|FOLDERS whose headers it may include, as a regular expression. A public
# header counts as of the layer that implements it.
set(layers
    "src/base|base"
    "src/outbox|base|outbox"
    "src/events|base|events"
    "src/delivery|base|outbox|events|delivery|public"
    "src/spool|base|outbox|events|delivery|spool|public"
    "tools/sandbox|base|events"
    "tools/spoolctl|base|outbox|events|delivery|spool|public"
    "include/spool|base|public")

# HEADER|FILES that may include it, both regular expressions. The outbox's own
# headers show SQLite, which nobody outside is to see.
set(owners
    "sqlite3\\.h|^src/outbox/"
    "outbox/(body|checkpoint|db|migrate|retile|statements|store|tile|turn|writer)\\.h|^src/outbox/"
    "curl/.+|^src/delivery/(bounds|http|multi)\\.[ch]$"
    "json-c/.+|^src/delivery/verdict\\.c$"
    "json-c/.+|^tools/"
    "uv\\.h|^(src/delivery|src/spool|tools)/"
    "(curl/.+|sqlite3\\.h)|^tools/[a-z]+/cmd_version\\.c$")

# The folder a header belongs to: the statuses are everybody's.
function(folder_of header out)
    string(REGEX REPLACE "/.*" "" folder ${header})
    if(header STREQUAL "spool/error.h")
        set(folder base)
    elseif(EXISTS ${ROOT}/include/${header})
        set(folder public)
    endif()
    set(${out} ${folder} PARENT_SCOPE)
endfunction()

# Sets out to a sentence when file may not include header.
function(judge file header out)
    set(${out} "" PARENT_SCOPE)
    set(owned FALSE)
    foreach(owner ${owners})
        string(REGEX MATCH "^(.*)\\|(\\^.*)$" all ${owner})
        set(files ${CMAKE_MATCH_2})
        if(header MATCHES "^${CMAKE_MATCH_1}$")
            set(owned TRUE)
            if(file MATCHES "${files}")
                return()
            endif()
        endif()
    endforeach()
    if(owned)
        set(${out} "${file} includes ${header}, which another module hides"
            PARENT_SCOPE)
        return()
    endif()
    if(NOT header MATCHES "/" OR NOT (EXISTS ${ROOT}/src/${header} OR
                                      EXISTS ${ROOT}/include/${header}))
        return()
    endif()
    folder_of(${header} folder)
    foreach(layer ${layers})
        string(REGEX MATCH "^([^|]*)\\|(.*)$" all ${layer})
        set(knows ${CMAKE_MATCH_2})
        if(file MATCHES "^${CMAKE_MATCH_1}/" AND
           NOT folder MATCHES "^(${knows})$")
            set(${out} "${file} includes ${header}, a layer it must not know"
                PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

file(GLOB_RECURSE files RELATIVE ${ROOT}
     ${ROOT}/src/*.[ch] ${ROOT}/include/*.h ${ROOT}/tools/*.[ch])
list(LENGTH files count)
if(count EQUAL 0)
    message(FATAL_ERROR "no source files under ${ROOT}")
endif()

set(faults "")
foreach(file ${files})
    file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*include")
    foreach(line ${lines})
        if(line MATCHES "[<\"]([^>\"]+)[>\"]")
            judge(${file} ${CMAKE_MATCH_1} fault)
            if(fault)
                string(APPEND faults "\n  ${fault}")
            endif()
        endif()
    endforeach()
endforeach()
if(faults)
    message(FATAL_ERROR "the layers are not kept:${faults}")
endif()
