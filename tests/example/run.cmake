# Runs the example against a sandbox of its own on a free port.
set(dir ${DIR}/run)
file(REMOVE_RECURSE ${dir})
file(MAKE_DIRECTORY ${dir})
execute_process(
    COMMAND sh -c "
        \"${SANDBOX}\" --port 0 --port-file port --seconds 50 2>log &
        pid=$!
        trap 'kill $pid' EXIT
        until [ -s port ]; do kill -0 $pid || exit 1; done
        printf 'K\\n' >key
        \"${TILL}\" \"${dir}/outbox.db\" http://127.0.0.1:$(cat port) key &&
        \"${TILL}\" \"${dir}/outbox.db\" http://127.0.0.1:$(cat port) key"
    WORKING_DIRECTORY ${dir}
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT status EQUAL 0 OR NOT out MATCHES "shop: event 1: delivered.*shop: event 2: delivered")
    message(FATAL_ERROR "status ${status}: ${out}${err}")
endif()
