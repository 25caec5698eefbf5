/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ganesha_config_4_3.h -- Ganesha's config.h as Debian's build of nfs-ganesha 4.3 has it */

/*
 * The build copies this to config.h, where Ganesha's headers look for it, and every source of the
 * module gets it before anything else. It decides the layout of structures that are shared with the
 * server: _USE_NFS3, _USE_NLM, _USE_RQUOTA, USE_NFSACL3, _HAVE_GSSAPI and the absence of
 * _USE_NFS_RDMA that of nfs_parameter_t, the absence of DEBUG_SAL that of state_t. abi.c compares
 * at load.
 */
#ifndef CONFIG_H
#define CONFIG_H

#define GANESHA_VERSION_MAJOR 4
#define GANESHA_VERSION_MINOR .3
#define GANESHA_BUILD_RELEASE 1
#define VERSION               "4.3"

#define _MSPAC_SUPPORT                1
#define USE_NFSIDMAP                  1
#define USE_DBUS                      1
#define USE_CAPS                      1
#define USE_BLKID                     1
#define _USE_9P                       1
#define _USE_NFS3                     1
#define _USE_NLM                      1
#define _USE_RQUOTA                   1
#define USE_NFSACL3                   1
#define RPCBIND                       1
#define HAVE_KRB5                     1
#define LINUX                         1
#define _HAVE_GSSAPI                  1
#define HAVE_STRING_H                 1
#define HAVE_STRNLEN                  1
#define LITTLEEND                     1
#define HAVE_DAEMON                   1
#define GSH_CAN_HOST_LOCAL_FS         1
#define HAVE_URCU_REF_GET_UNLESS_ZERO 1
#define NFS_GANESHA                   1
#define _LGPL_SOURCE                  1

#endif
