"""The way into a room of a rack, for Ansible: what others do by ssh. QUORATE_ROOMS names a folder with a program for each
node that enters it and runs what it is given. Files are shared by all rooms but for /etc, /var and /run."""

import os
import shlex

from ansible.plugins.connection.local import DOCUMENTATION as LOCAL
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: room")


class Connection(Local):
    # By this name the task `reboot` knows that it is not on the machine that Ansible runs on.
    transport = "room"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        enter = os.path.join(os.environ["QUORATE_ROOMS"], self._play_context.remote_addr)
        return super().exec_command(shlex.join([enter, "sh", "-c", cmd]), in_data, sudoable)

    def reset(self):
        pass
