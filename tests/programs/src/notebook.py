"""notebook.py KERNEL HOST PORT: what a notebook's server does: start, run, interrupt, run, restart, run, shut down.
Each run connects, sends a word, and prints the answer."""

import sys

from jupyter_client.manager import start_new_kernel


def run(client, code):
    said = []
    def take(message):
        content = message["content"]
        said.append(content.get("text") or content.get("ename") or "")
    client.execute_interactive(code, timeout=60, output_hook=take)
    return "".join(said).strip()


call = f"import socket; s = socket.create_connection({sys.argv[2:4]!r}, 20); s.sendall(sys.argv[1].encode()); " \
       "s.shutdown(1); print(s.makefile().read())"
manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=60)
say = lambda word: run(client, f"import sys; sys.argv = ['', {word!r}]; " + call)
print(say("one"), flush=True)
client.execute("import time; print('sleeping', flush=True); time.sleep(600)")
while client.get_iopub_msg(timeout=60)["content"].get("text") != "sleeping\n":
    pass
manager.interrupt_kernel()
while (ended := client.get_shell_msg(timeout=60))["parent_header"]["msg_type"] != "execute_request":
    pass
print(ended["content"].get("ename"), flush=True)
manager.restart_kernel(now=False)
client.wait_for_ready(timeout=60)
print(say("two"), flush=True)
client.stop_channels()
manager.shutdown_kernel()
print("alive" if manager.is_alive() else "ended")
