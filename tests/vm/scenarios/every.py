# SPDX-License-Identifier: LGPL-3.0-or-later
# every.py -- all scenarios; a group lists its own when it is imported, in this order
import scenarios.devices
import scenarios.cluster
import scenarios.pair  # noqa: F401
from scenarios import SCENARIOS  # noqa: F401
