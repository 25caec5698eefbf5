# SPDX-License-Identifier: LGPL-3.0-or-later
# cases -- importing it registers all tests
from . import v3_lookup  # noqa: F401
from . import v3_handles  # noqa: F401
from . import v3_setattr  # noqa: F401
from . import v3_access  # noqa: F401
from . import v3_io  # noqa: F401
from . import v3_create  # noqa: F401
from . import v3_remove  # noqa: F401
from . import v3_readdir  # noqa: F401
from . import v3_fs  # noqa: F401
from . import v3_xdr  # noqa: F401
import nfs41  # noqa: F401
from . import v41_client  # noqa: F401
from . import v41_session  # noqa: F401
from . import v41_sequence  # noqa: F401
from . import v41_open  # noqa: F401
from . import v41_misc  # noqa: F401
from . import v42_xattr  # noqa: F401
from . import v42_space  # noqa: F401
from . import v42_other  # noqa: F401
import nfs40  # noqa: F401
from . import v40_client  # noqa: F401
from . import v40_compound  # noqa: F401
from . import v40_create  # noqa: F401
from . import v40_getattr  # noqa: F401
from . import v40_io  # noqa: F401
from . import v40_locks  # noqa: F401
from . import v40_lookup  # noqa: F401
from . import v40_open  # noqa: F401
from . import v40_readdir  # noqa: F401
from . import v40_rename  # noqa: F401
from . import v40_setattr  # noqa: F401
from . import v40_share  # noqa: F401
from . import v40_xdr  # noqa: F401
