/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- the module as Ganesha loads, configures and unloads it */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "attrs.h"
#include "heap.h"
#include "tls_frontend.h"
#include "tls_setup.h"
#include "volume.h"

static const char name[] = "RDMAXFER";

struct rdx_module rdx_module = {
	.fsal = { .fs_info = {
		.maxfilesize = INT64_MAX,
		.maxlink = 65000,
		.maxnamelen = XFER_NAME_MAX,
		.maxpathlen = MAXPATHLEN,
		.no_trunc = true,
		.chown_restricted = true,
		.case_preserving = true,
		.unique_handles = true,
		.cansettime = true,
		.link_support = true,
		.symlink_support = true,
		.lock_support = true,
		/* FSAL_VFS says so, too; Debian's knows no ACLs all the same. */
		.named_attr = true,
		.acl_support = FSAL_ACLSUPPORT_ALLOW,
		.xattr_support = true,
		.homogenous = true,
		.supported_attrs = RDX_SUPPORTED_ATTRS,
		.maxread = XFER_IO_MAX,
		.maxwrite = XFER_IO_MAX,
		.readdir_plus = true,
		.compliant_eof_behavior = true,
		/* Before now: MDCACHE asks each time where ".." leads. -1 would mean never again. */
		.expire_time_parent = -2,
	} },
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* --- the module's own thread ------------------------------------------------------------------ */

#define TICK_MS 100

/*
 * Ganesha tells a module of its end when all requests have been answered, and waits for them without a limit: those
 * that wait for an owner that is away would keep it for ever. So its flag is looked at.
 */
static void *tick(void *arg)
{
	struct rdx_module *module = arg;
	bool ended = false;

	pthread_setname_np(pthread_self(), "rdx-tick");
	while (!atomic_load(&module->stopping)) {
		static const struct timespec pause = { .tv_nsec = TICK_MS * 1000000 };

		nanosleep(&pause, NULL);
		if (!ended && __atomic_load_n(&admin_shutdown, __ATOMIC_RELAXED)) {
			rdx_owners_close(&module->owners);
			rdx_tls_frontend_close();
			ended = true;
		}
		rdx_tls_tick(module);
		rdx_owners_tick(&module->owners);
	}
	return NULL;
}

static void stop_ticking(struct rdx_module *module)
{
	if (!module->ticking)
		return;
	atomic_store(&module->stopping, true);
	pthread_join(module->ticker, NULL);
	module->ticking = false;
}

/* --- configuration ---------------------------------------------------------------------------- */

struct config_item_list rdx_paths[] = {
	CONFIG_LIST_TOK("auto", XFER_WISH_AUTO),
	CONFIG_LIST_TOK("inline", XFER_WISH_INLINE),
	CONFIG_LIST_TOK("shm", XFER_WISH_SHM),
	CONFIG_LIST_TOK("verbs", XFER_WISH_VERBS),
	CONFIG_LIST_EOL,
};

static struct config_item items[] = {
	CONF_MAND_STR("Node_Name", 1, XFER_NODE_MAX, NULL, rdx_module, node_name),
	CONF_MAND_STR("Owners", 1, 65536, NULL, rdx_module, owners_text),
	CONF_ITEM_TOKEN("Path", XFER_WISH_AUTO, rdx_paths, rdx_module, path),
	CONF_ITEM_STR("Run_Dir", 1, 64, "/run/rdmaxfer", rdx_module, run_dir),
	CONF_ITEM_UI32("Lanes", 1, 16, 2, rdx_module, lanes),
	CONF_ITEM_UI32("Small_Slots", 1, 16384, 1024, rdx_module, small_slots),
	CONF_ITEM_UI32("Large_Slots", 1, 4096, 64, rdx_module, large_slots),
	CONF_ITEM_UI32("Poll_us", 1, 1000, 10, rdx_module, poll_us),
	CONF_ITEM_UI32("Waiting_Memory", 2, 1048576, 2048, rdx_module, waiting_memory),
	CONF_ITEM_UI32("Heartbeat_ms", 100, 60000, 1000, rdx_module, heartbeat_ms),
	CONF_ITEM_PATH("TLS_Certificate", 1, MAXPATHLEN, NULL, rdx_module, tls_certificate),
	CONF_ITEM_PATH("TLS_Key", 1, MAXPATHLEN, NULL, rdx_module, tls_key),
	CONF_ITEM_PATH("TLS_CA", 1, MAXPATHLEN, NULL, rdx_module, tls_ca),
	CONF_ITEM_PATH("TLS_CRL", 1, MAXPATHLEN, NULL, rdx_module, tls_crl),
	CONF_ITEM_PATH("Node_Certificate", 1, MAXPATHLEN, NULL, rdx_module, node_certificate),
	CONF_ITEM_PATH("Node_Key", 1, MAXPATHLEN, NULL, rdx_module, node_key),
	CONF_ITEM_PATH("Node_CA", 1, MAXPATHLEN, NULL, rdx_module, node_ca),
	CONF_ITEM_PATH("Node_CRL", 1, MAXPATHLEN, NULL, rdx_module, node_crl),
	CONF_ITEM_TOKEN("Ktls", XFER_KTLS_PREFER, rdx_ktls, rdx_module, ktls),
	CONF_ITEM_UI32("Handshake_ms", 100, 60000, 5000, rdx_module, handshake_ms),
	CONF_ITEM_UI32("Handshakes_Max", 1, 65536, 1024, rdx_module, handshakes_max),
	CONF_ITEM_UI32("Handshakes_Per_Address", 1, 65536, 64, rdx_module, handshakes_per_address),
	CONFIG_EOL,
};

static struct config_block block = {
	.dbus_interface_name = "org.ganesha.nfsd.config.fsal.rdmaxfer",
	.blk_desc.name = "RDMAXFER",
	.blk_desc.type = CONFIG_BLOCK,
	.blk_desc.u.blk.init = noop_conf_init,
	.blk_desc.u.blk.params = items,
	.blk_desc.u.blk.commit = noop_conf_commit,
};

/* Ganesha's own block, of which one key is looked at. */
static struct config_item mdcache_items[] = {
	CONF_ITEM_UI32("Dir_Chunk", 0, UINT32_MAX, 128, rdx_module, dir_chunk),
	CONFIG_EOL,
};

static struct config_block mdcache_block = {
	.dbus_interface_name = "org.ganesha.nfsd.config.fsal.rdmaxfer-mdcache",
	.blk_desc.name = "MDCACHE",
	.blk_desc.altname = "CacheInode",
	.blk_desc.type = CONFIG_BLOCK,
	.blk_desc.flags = CONFIG_RELAX,
	.blk_desc.u.blk.init = noop_conf_init,
	.blk_desc.u.blk.params = mdcache_items,
	.blk_desc.u.blk.commit = noop_conf_commit,
};

/* MDCACHE would go on showing names that other nodes have changed: nobody can make it forget all of them in time. */
static bool check_dir_chunk(
	struct rdx_module *module, config_file_t config, struct config_error_type *err_type)
{
	(void)load_config_from_parse(config, &mdcache_block, module, true, err_type);
	if (module->dir_chunk == 0)
		return true;
	LogCrit(COMPONENT_CONFIG,
		"RDMAXFER: add the line  MDCACHE { Dir_Chunk = 0; }  to the configuration: Ganesha "
		"would otherwise go on showing names that other nodes have changed");
	return false;
}

/* libxfer's threads write here, too: Ganesha shows "libxfer" where its own messages name a function. */
static void log_to_ganesha(enum xfer_log_level level, const char *message)
{
	static const log_levels_t levels[] = {
		[XFER_LOG_ERROR] = NIV_CRIT,
		[XFER_LOG_WARN] = NIV_WARN,
		[XFER_LOG_INFO] = NIV_EVENT,
		[XFER_LOG_DEBUG] = NIV_DEBUG,
	};

	if (isLevel(COMPONENT_FSAL, levels[level]))
		DisplayLogComponentLevel(COMPONENT_FSAL, __FILE__, __LINE__, "libxfer",
			levels[level], "%s", message);
}

static int create_context(struct rdx_module *module)
{
	struct xfer_context_params params = {
		.node = module->node_name,
		.run_dir = module->run_dir,
		.role = "ganesha",
		.lanes = module->lanes,
		.heartbeat_ms = module->heartbeat_ms,
		.path = (enum xfer_path_wish)module->path,
		.small_slots = module->small_slots,
		.large_slots = module->large_slots,
		.poll_us = module->poll_us,
		.waiting_max = (uint64_t)module->waiting_memory << 20,
		.tls = module->tls,
		.tls_identity = module->node_identity,
		.log = log_to_ganesha,
	};

	return xfer_context_create(&params, &module->context);
}

/*
 * Ganesha only warns of a wrong value, for which it takes the default, and of a key that isn't known: not what the
 * administrator meant, who may have misspelt TLS_CRL.
 */
static bool read_block(
	struct rdx_module *module, config_file_t config, struct config_error_type *err_type)
{
	unsigned errors = err_type->errors;
	bool others = err_type->bogus, good;

	err_type->bogus = false;
	(void)load_config_from_parse(config, &block, module, true, err_type);
	good = err_type->errors == errors && !err_type->bogus;
	err_type->bogus |= others;
	if (!config_error_is_harmless(err_type) || !module->node_name || !module->owners_text) {
		LogCrit(COMPONENT_CONFIG,
			"The RDMAXFER block is missing or wrong: it needs at least Node_Name = a; "
			"Owners = \"b=HOST:20491\";");
		return false;
	}
	if (!good)
		LogCrit(COMPONENT_CONFIG,
			"The RDMAXFER block has a key or a value that is wrong, which is named below: correct it and "
			"restart Ganesha");
	return good;
}

static bool parse_owners(struct rdx_module *module)
{
	char *reason;

	if (rdx_owners_parse(&module->owners, module->owners_text, &reason) == 0)
		return true;
	LogCrit(COMPONENT_CONFIG, "RDMAXFER Owners: %s", reason);
	gsh_free(reason);
	return false;
}

/* The context, and the module's own thread. */
static bool start_threads(struct rdx_module *module)
{
	int err = create_context(module);

	if (err == 0) {
		err = -pthread_create(&module->ticker, NULL, tick, module);
		module->ticking = err == 0;
	}
	if (err)
		LogCrit(COMPONENT_FSAL,
			"rdmaxfer can't start: %s; see the messages before, and whether Run_Dir %s "
			"can be written",
			strerror(-err), module->run_dir);
	return err == 0;
}

static void stop_threads(struct rdx_module *module)
{
	stop_ticking(module);
	if (module->context)
		xfer_context_destroy(module->context);
	module->context = NULL;
}

/* All of it, or nothing: Ganesha goes on without the module's exports, and keeps the module. */
static bool start(struct rdx_module *module)
{
	if (!rdx_tls_setup(module, log_to_ganesha))
		return false;
	if (rdx_owners_check(&module->owners, module->node_identity != NULL) &&
		start_threads(module) && rdx_tls_offer(module))
		return true;
	stop_threads(module);
	rdx_tls_drop(module);
	return false;
}

static fsal_status_t init_config(
	struct fsal_module *fsal, config_file_t config, struct config_error_type *err_type)
{
	struct rdx_module *module = container_of(fsal, struct rdx_module, fsal);
	uint32_t workers = nfs_param.core_param.rpc.ioq_thrd_max;

	if (!read_block(module, config, err_type) || !check_dir_chunk(module, config, err_type) ||
		!parse_owners(module))
		return fsalstat(ERR_FSAL_INVAL, EINVAL);
	module->inside_max = workers / 4 > 0 ? workers / 4 : 1;
	if (!start(module))
		return fsalstat(ERR_FSAL_SERVERFAULT, 0);
	module->ready = true;
	display_fsinfo(&module->fsal);
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

/* --- loading and unloading -------------------------------------------------------------------- */

/* Without m_ops nothing else of the module is called: so a server that doesn't fit refuses it cleanly. */
MODULE_INIT void rdx_load(void)
{
	char why[512];

	if (xfer_abi_check(why, sizeof(why))) {
		LogCrit(COMPONENT_FSAL, "libfsalrdmaxfer.so is refused: %s", why);
		return;
	}
	if (register_fsal(&rdx_module.fsal, name, FSAL_MAJOR_VERSION, FSAL_MINOR_VERSION,
		    FSAL_ID_NO_PNFS)) {
		LogCrit(COMPONENT_FSAL, "RDMAXFER can't be registered");
		return;
	}
	heap_tune();
	glist_init(&rdx_module.owners.list);
	rdx_module.owners.log = log_to_ganesha;
	rdx_module.owners.invalidate = rdx_volumes_invalidate;
	glist_init(&rdx_module.volumes);
	glist_init(&rdx_module.exports);
	rdx_module.fsal.m_ops.init_config = init_config;
	rdx_module.fsal.m_ops.create_export = rdx_create_export;
	rdx_module.fsal.m_ops.update_export = rdx_update_export;
	rdx_obj_ops_init(&rdx_module.obj_ops);
}

MODULE_FINI void rdx_unload(void)
{
	if (!rdx_module.fsal.name)
		return;            /* it was refused */
	stop_ticking(&rdx_module); /* it goes through the owners */
	rdx_owners_destroy(&rdx_module.owners);
	stop_threads(&rdx_module);
	rdx_tls_teardown(&rdx_module);
	gsh_free(rdx_module.node_name);
	gsh_free(rdx_module.owners_text);
	gsh_free(rdx_module.run_dir);
	if (unregister_fsal(&rdx_module.fsal))
		LogCrit(COMPONENT_FSAL, "RDMAXFER is still in use while it is unloaded");
}
