/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* export.c -- an export: its configuration, its root, its handles */

#include <errno.h>

#include "admit.h"
#include "attrs.h"
#include "errors.h"
#include "gate.h"
#include "namespace.h"
#include "object.h"
#include "state.h"

struct rdx_export {
	struct fsal_export export;
	struct glist_head link; /* in the module's list, under its lock */
	struct rdx_volume *volume;
	struct rdx_owner *owner; /* NULL: it isn't used (any more) */
	char *pseudo;            /* NULL: none (NFSv3 only) */
	struct admission admission;

	/* the FSAL block */
	char *owner_name, *volume_name;
	uint32_t volume_id;                   /* 0: from the name */
	uint32_t path;                        /* of enum xfer_path_wish; the volume's */
	bool v3_unstable, require_encryption; /* a reload may change them */
	/* Of `admission`, as configured. */
	uint32_t xprtsec; /* of enum xprtsec_kind */
	char *xprtsec_names;
	bool xprtsec_sideband;
};

static struct rdx_export *rdx_export(struct fsal_export *export)
{
	return container_of(export, struct rdx_export, export);
}

static struct config_item_list xprtsec_kinds[] = {
	CONFIG_LIST_TOK("none", XPRTSEC_NONE),
	CONFIG_LIST_TOK("tls", XPRTSEC_TLS),
	CONFIG_LIST_TOK("mtls", XPRTSEC_MTLS),
	CONFIG_LIST_EOL,
};

static struct config_item items[] = {
	CONF_ITEM_NOOP("name"),
	CONF_ITEM_STR("Owner", 1, XFER_NODE_MAX, NULL, rdx_export, owner_name),
	CONF_ITEM_STR("Volume", 1, XFER_NODE_MAX, NULL, rdx_export, volume_name),
	CONF_ITEM_UI32("Volume_Id", 0, UINT32_MAX, 0, rdx_export, volume_id),
	CONF_ITEM_TOKEN("Path", XFER_WISH_AUTO, rdx_paths, rdx_export, path),
	CONF_ITEM_BOOL("V3_Unstable", false, rdx_export, v3_unstable),
	CONF_ITEM_BOOL("Require_Encryption", false, rdx_export, require_encryption),
	CONF_ITEM_LIST("Xprtsec", XPRTSEC_ANY, xprtsec_kinds, rdx_export, xprtsec),
	CONF_ITEM_STR("Xprtsec_Names", 1, 65536, NULL, rdx_export, xprtsec_names),
	CONF_ITEM_BOOL("Xprtsec_Sideband", false, rdx_export, xprtsec_sideband),
	CONFIG_EOL,
};

static struct config_block block = {
	.dbus_interface_name = "org.ganesha.nfsd.config.fsal.rdmaxfer-export%d",
	.blk_desc.name = "FSAL",
	.blk_desc.type = CONFIG_BLOCK,
	.blk_desc.u.blk.init = noop_conf_init,
	.blk_desc.u.blk.params = items,
	.blk_desc.u.blk.commit = noop_conf_commit,
};

/* --- what an export must say ------------------------------------------------------------------ */

/* Whether one path is the other or lies below it. */
static bool is_nested(const char *path, const char *in)
{
	size_t len = strlen(in);

	while (len > 0 && in[len - 1] == '/')
		len--;
	return strncmp(path, in, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/*
 * The pseudo file system can't grow below directories that another node owns. The pseudo path of an export
 * that lies below `pseudo`, or above it; NULL: there is none. With the module's lock.
 */
static const char *nested_with(const char *pseudo)
{
	struct glist_head *node;

	glist_for_each (node, &rdx_module.exports) {
		struct rdx_export *other = glist_entry(node, struct rdx_export, link);

		if (other->pseudo &&
			(is_nested(pseudo, other->pseudo) || is_nested(other->pseudo, pseudo)))
			return other->pseudo;
	}
	return NULL;
}

static const char *export_path(void)
{
	return op_ctx->ctx_export->cfg_fullpath;
}

static bool check_expiry(void)
{
	const struct export_perms *perms = &op_ctx->ctx_export->export_perms;

	if ((perms->set & EXPORT_OPTION_EXPIRE_SET) && perms->expire_time_attr == 0)
		return true;
	LogCrit(COMPONENT_CONFIG,
		"Export %s: add the line  Attr_Expiration_Time = 0;  to its EXPORT block: Ganesha would "
		"otherwise go on showing attributes that other nodes have changed",
		export_path());
	return false;
}

static bool check_pseudo(struct rdx_export *export)
{
	const char *pseudo = op_ctx->ctx_export->cfg_pseudopath, *other;

	if (!pseudo)
		return true;
	PTHREAD_MUTEX_lock(&rdx_module.lock);
	other = nested_with(pseudo);
	if (other)
		LogCrit(COMPONENT_CONFIG,
			"Export %s: its Pseudo = %s and that of another RDMAXFER export, %s, lie one "
			"inside the other: choose one that is beside it",
			export_path(), pseudo, other);
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	if (other)
		return false;
	export->pseudo = gsh_strdup(pseudo);
	return true;
}

/* The owner, with its session opened; NULL: the log says what is wrong. */
static struct rdx_owner *find_owner(struct rdx_export *export)
{
	struct rdx_owner *owner;
	int err;

	if (!export->owner_name || !export->volume_name) {
		LogCrit(COMPONENT_CONFIG,
			"Export %s: its FSAL block has no %s: write  FSAL { Name = RDMAXFER; Owner = b; "
			"Volume = vol1; }",
			export_path(), export->owner_name ? "Volume" : "Owner");
		return NULL;
	}
	owner = rdx_owners_find(&rdx_module.owners, export->owner_name);
	if (!owner) {
		LogCrit(COMPONENT_CONFIG,
			"Export %s: there is no owner %s: add  %s=HOST:20491  to Owners in the RDMAXFER "
			"block, or correct Owner",
			export_path(), export->owner_name, export->owner_name);
		return NULL;
	}
	err = rdx_owner_enlist(owner, rdx_module.context);
	if (err) {
		LogCrit(COMPONENT_CONFIG,
			"Export %s: owner %s can't be used at %s (%s): correct its address in Owners",
			export_path(), owner->name, owner->address, strerror(-err));
		return NULL;
	}
	export->owner = owner;
	return owner;
}

static void log_no_volume(const struct rdx_export *export, uint32_t id, int err)
{
	if (err == -EEXIST)
		LogCrit(COMPONENT_CONFIG,
			"Export %s: another volume has the id 0x%08x of volume %s already: give one of "
			"them another by Volume_Id here and id in rdmaxferd.conf",
			export_path(), id, export->volume_name);
	else if (err == -EBUSY)
		LogCrit(COMPONENT_CONFIG,
			"Export %s: another export of volume %s says another Path in its FSAL block: "
			"give them the same one",
			export_path(), export->volume_name);
	else
		LogCrit(COMPONENT_CONFIG, "Export %s: volume %s can't be used: %s", export_path(),
			export->volume_name, strerror(-err));
}

/* Require_Encryption and its owner, which is the same for as long as it is exported. */
static bool check_encryption(const struct rdx_export *export, const struct rdx_owner *owner)
{
	if (!export->require_encryption || !rdx_owner_in_cleartext(owner))
		return true;
	LogCrit(COMPONENT_CONFIG,
		"Export %s: Require_Encryption, but what travels to and from owner %s isn't encrypted: "
		"take  insecure  out of its entry in Owners and give both nodes certificates, or take "
		"Require_Encryption out",
		export_path(), owner->name);
	return false;
}

static bool find_volume(struct rdx_export *export)
{
	struct rdx_owner *owner = find_owner(export);
	uint32_t id = export->volume_id;
	int err;

	if (!owner || !check_encryption(export, owner))
		return false;
	if (id == 0)
		id = xfer_volume_id(export->volume_name);
	err = rdx_volume_get(owner, export->volume_name, id, export->path, &export->volume);
	if (err)
		log_no_volume(export, id, err);
	return err == 0;
}

/* What keeps those away that are let in; NULL: nothing. */
static const char *objection(const struct xprtsec *policy)
{
	if (!(policy->kinds & XPRTSEC_NONE) && !rdx_module.tls_identity)
		return "nobody could use it, for its Xprtsec wants TLS, and there is none: add  "
		       "TLS_Certificate = ...; TLS_Key = ...;  to the RDMAXFER block, or  none  to Xprtsec";
	if (policy->kinds & XPRTSEC_MTLS && !(policy->kinds & XPRTSEC_TLS) &&
		rdx_module.tls_identity && !rdx_module.tls_ca)
		return "its Xprtsec wants certificates, but none is known to be good: add  TLS_CA = ...;  to "
		       "the RDMAXFER block, or  tls  to Xprtsec";
	/* session_guard.c sees what comes by TCP only. */
	if (!xprtsec_is_open(policy) && nfs_param.core_param.enable_UDP & UDP_LISTENER_ALL &&
		nfs_param.core_param.core_options & CORE_OPTION_NFSV4)
		return "its Xprtsec isn't for everybody, but by UDP anybody could have replies repeated "
		       "that others got: write  Enable_UDP = false;  into NFS_CORE_PARAM";
	return NULL;
}

/* What its Xprtsec, Xprtsec_Names and Xprtsec_Sideband say. */
static bool read_policy(const struct rdx_export *export, struct xprtsec *policy)
{
	char why[512];

	if (xprtsec_init(policy, export->xprtsec, export->xprtsec_sideband, export->xprtsec_names,
		    why, sizeof(why))) {
		LogCrit(COMPONENT_CONFIG, "Export %s: Xprtsec: %s", export_path(), why);
		return false;
	}
	if (!objection(policy))
		return true;
	LogCrit(COMPONENT_CONFIG, "Export %s: %s", export_path(), objection(policy));
	xprtsec_fini(policy);
	return false;
}

static bool make_policy(struct rdx_export *export)
{
	struct xprtsec policy;

	if (!read_policy(export, &policy))
		return false;
	admission_change(&export->admission, &policy);
	return true;
}

/* Ganesha lowers MaxRead and MaxWrite to what the FSAL can, but not what it asks NFSv3's clients to prefer. */
static void lower_preferred(void)
{
	struct gsh_export *export = op_ctx->ctx_export;

	if (export->PrefRead > XFER_IO_MAX)
		export->PrefRead = XFER_IO_MAX;
	if (export->PrefWrite > XFER_IO_MAX)
		export->PrefWrite = XFER_IO_MAX;
}

/* --- creation and end ------------------------------------------------------------------------- */

static void leave_owner(struct rdx_export *export)
{
	struct rdx_owner *owner = export->owner;

	export->owner = NULL;
	if (owner)
		rdx_owner_delist(owner);
}

/* What Ganesha has read for the block. */
static void free_texts(struct rdx_export *export)
{
	gsh_free(export->owner_name);
	gsh_free(export->volume_name);
	gsh_free(export->xprtsec_names);
}

static void export_free(struct rdx_export *export)
{
	leave_owner(export);
	if (export->volume)
		rdx_volume_put(export->volume);
	admission_fini(&export->admission);
	gsh_free(export->pseudo);
	free_texts(export);
	gsh_free(export);
}

fsal_status_t rdx_create_export(struct fsal_module *module, void *parse_node,
	struct config_error_type *err_type, const struct fsal_up_vector *up_ops)
{
	struct rdx_export *export;

	/* Ganesha asks for further exports of a module whose init_config has failed. */
	if (!rdx_module.ready) {
		LogCrit(COMPONENT_CONFIG,
			"Export %s isn't served: RDMAXFER couldn't be started, for the reason above; correct it and "
			"restart Ganesha",
			export_path());
		return fsalstat(ERR_FSAL_INVAL, EINVAL);
	}
	export = gsh_calloc(1, sizeof(*export));
	fsal_export_init(&export->export);
	admission_init(&export->admission);
	rdx_export_ops_init(&export->export.exp_ops);
	if (load_config_from_node(parse_node, &block, export, true, err_type) || !check_expiry() ||
		!make_policy(export) || !check_pseudo(export) || !find_volume(export) ||
		fsal_attach_export(module, &export->export.exports)) {
		free_export_ops(&export->export);
		export_free(export);
		return fsalstat(ERR_FSAL_INVAL, EINVAL);
	}
	lower_preferred();
	export->export.fsal = module;
	export->export.up_ops = up_ops;
	op_ctx->fsal_export = &export->export;
	PTHREAD_MUTEX_lock(&rdx_module.lock);
	glist_add_tail(&rdx_module.exports, &export->link);
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

static bool is_same_volume(const struct rdx_export *export, const struct rdx_export *updated)
{
	bool same = updated->owner_name && updated->volume_name &&
		    strcmp(updated->owner_name, export->owner_name) == 0 &&
		    strcmp(updated->volume_name, export->volume_name) == 0 &&
		    updated->volume_id == export->volume_id && updated->path == export->path;

	if (!same)
		LogCrit(COMPONENT_CONFIG,
			"Export %s: Owner, Volume, Volume_Id and Path can't be changed while it is exported: "
			"remove the export and add it again",
			export_path());
	return same;
}

/* From here on the new policy is in force, for what clients hold as well. */
static bool update(struct rdx_export *export, const struct rdx_export *updated)
{
	struct xprtsec policy;

	if (!is_same_volume(export, updated) || !check_encryption(updated, export->volume->owner) ||
		!read_policy(updated, &policy))
		return false;
	admission_change(&export->admission, &policy);
	__atomic_store_n(&export->v3_unstable, updated->v3_unstable, __ATOMIC_RELAXED);
	__atomic_store_n(
		&export->require_encryption, updated->require_encryption, __ATOMIC_RELAXED);
	return true;
}

/* Owner and volume stay as they are: objects that clients hold refer to them. */
fsal_status_t rdx_update_export(struct fsal_module *module, void *parse_node,
	struct config_error_type *err_type, struct fsal_export *original,
	struct fsal_module *updated_super)
{
	struct rdx_export updated = { 0 };
	bool done;

	(void)module;
	(void)updated_super;
	/* A reload of Ganesha's tells a module nothing else; this comes for each export. */
	atomic_store(&rdx_module.tls_reread, true);
	done = load_config_from_node(parse_node, &block, &updated, true, err_type) == 0 &&
	       update(rdx_export(original), &updated);
	free_texts(&updated);
	lower_preferred();
	return done ? fsalstat(ERR_FSAL_NO_ERROR, 0) : fsalstat(ERR_FSAL_INVAL, EINVAL);
}

struct admission *rdx_export_admission(struct fsal_export *export)
{
	return &rdx_export(export)->admission;
}

bool rdx_export_require_encryption(struct fsal_export *export)
{
	return __atomic_load_n(&rdx_export(export)->require_encryption, __ATOMIC_RELAXED);
}

bool rdx_export_v3_unstable(struct fsal_export *export)
{
	return __atomic_load_n(&rdx_export(export)->v3_unstable, __ATOMIC_RELAXED);
}

/*
 * What clients still have under way here is ended, if no other export needs the session: Ganesha is about to take
 * locks that such an operation may hold.
 */
static void prepare_unexport(struct fsal_export *fsal_export)
{
	leave_owner(rdx_export(fsal_export));
}

static void export_release(struct fsal_export *fsal_export)
{
	struct rdx_export *export = rdx_export(fsal_export);

	PTHREAD_MUTEX_lock(&rdx_module.lock);
	glist_del(&export->link);
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	fsal_detach_export(fsal_export->fsal, &fsal_export->exports);
	free_export_ops(fsal_export);
	export_free(export);
}

/* --- objects by path and by handle ------------------------------------------------------------ */

static fsal_status_t get_root(
	struct rdx_volume *volume, struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct xfer_handle handle;
	struct rdx_object *object;

	xfer_handle_root(volume->id, &handle);
	object = rdx_object_new(volume, &handle, DIRECTORY, NULL);
	if (!object)
		return rdx_status(-ENOMEM);
	*obj = &object->obj;
	/* The owner may be away: the root is there all the same, its attributes aren't. */
	if (attrs_out && FSAL_IS_ERROR(rdx_getattrs(*obj, attrs_out)))
		attrs_out->valid_mask = ATTR_RDATTR_ERR;
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

/* What is left of `path` below the export; NULL: it isn't below it. */
static const char *path_below(const char *path)
{
	const char *base = CTX_FULLPATH(op_ctx);
	size_t len = strlen(base);

	while (len > 0 && base[len - 1] == '/')
		len--;
	if (strncmp(path, base, len) != 0 || (path[len] != '\0' && path[len] != '/'))
		return NULL;
	path += len;
	return path + strspn(path, "/");
}

/* One name down; the directory's object is given up. */
static fsal_status_t descend(
	struct fsal_obj_handle **obj, const char *name, struct fsal_attrlist *attrs_out)
{
	struct fsal_obj_handle *dir = *obj;
	fsal_status_t status = rdx_lookup(dir, name, obj, attrs_out);

	rdx_object_release(dir);
	return status;
}

static fsal_status_t lookup_path(struct fsal_export *fsal_export, const char *path,
	struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_volume *volume = rdx_export(fsal_export)->volume;
	const char *below = path_below(path);
	fsal_status_t status;
	char *copy, *rest, *name;

	if (!below)
		return rdx_status(-ENOENT);
	status = get_root(volume, obj, *below ? NULL : attrs_out);
	rest = copy = gsh_strdup(below);
	while (!FSAL_IS_ERROR(status) && (name = strsep(&rest, "/"))) {
		if (*name)
			status = descend(obj, name, attrs_out);
	}
	gsh_free(copy);
	return status;
}

/*
 * Whether bytes from a client are a handle of the export's volume. Without this, whoever may use one export
 * could use another's objects, as long as MDCACHE knows them.
 */
static bool is_ours(struct fsal_export *fsal_export, const struct gsh_buffdesc *buffer)
{
	struct xfer_handle root;

	xfer_handle_root(rdx_export(fsal_export)->volume->id, &root);
	return buffer->len >= sizeof(uint32_t) && buffer->len <= XFER_HANDLE_MAX &&
	       memcmp(buffer->addr, root.data, sizeof(uint32_t)) == 0;
}

static fsal_status_t wire_to_host(struct fsal_export *fsal_export, fsal_digesttype_t type,
	struct gsh_buffdesc *buffer, int flags)
{
	(void)type;
	(void)flags;
	if (!is_ours(fsal_export, buffer))
		return fsalstat(ERR_FSAL_BADHANDLE, 0);
	return rdx_admit();
}

static fsal_status_t create_handle(struct fsal_export *fsal_export, struct gsh_buffdesc *buffer,
	struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_volume *volume = rdx_export(fsal_export)->volume;
	struct xfer_node node = { .handle.len = (uint32_t)buffer->len };
	struct xfer_handle root;
	struct rdx_op op;
	fsal_status_t status;
	int err;

	*obj = NULL;
	if (!is_ours(fsal_export, buffer))
		return fsalstat(ERR_FSAL_BADHANDLE, 0);
	memcpy(node.handle.data, buffer->addr, buffer->len);
	xfer_handle_root(volume->id, &root);
	if (xfer_handle_equal(&node.handle, &root))
		return get_root(volume, obj, attrs_out);
	status = rdx_op_begin(volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_getattr(op.session, &op.cred, &node.handle, &node.attr);
	rdx_op_end(&op);
	return err ? rdx_status(err) : rdx_object_of_node(volume, &node, &op.asked, obj, attrs_out);
}

/* --- the volume as a whole -------------------------------------------------------------------- */

static fsal_status_t get_dynamic_info(
	struct fsal_export *fsal_export, struct fsal_obj_handle *obj, fsal_dynamicfsinfo_t *info)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_statfs statfs;
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	(void)fsal_export;
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_statfs(op.session, &op.cred, &object->handle, &statfs);
	rdx_op_end(&op);
	if (err)
		return rdx_status(err);
	info->total_bytes = statfs.total_bytes;
	info->free_bytes = statfs.free_bytes;
	info->avail_bytes = statfs.avail_bytes;
	info->total_files = statfs.total_files;
	info->free_files = statfs.free_files;
	info->avail_files = statfs.avail_files;
	info->time_delta.tv_sec = 0;
	info->time_delta.tv_nsec = FSAL_DEFAULT_TIME_DELTA_NSEC;
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

/* NFSv4's write verifier is the owner's. Before the first session nothing can have been written. */
static void get_write_verifier(struct fsal_export *fsal_export, struct gsh_buffdesc *buffer)
{
	struct rdx_owner *owner = rdx_export(fsal_export)->volume->owner;
	struct xfer_session *session = rdx_owner_acquire(owner);

	memset(buffer->addr, 0, buffer->len);
	if (!session)
		return;
	(void)xfer_session_verifier(session, buffer->addr);
	rdx_owner_release(owner);
}

/* Quotas are the owner's file system's own business: it keeps them, clients only meet them as EDQUOT. */
static fsal_status_t get_quota(
	struct fsal_export *fsal_export, const char *path, int type, int id, fsal_quota_t *quota)
{
	fsal_status_t status = rdx_admit();

	(void)fsal_export;
	(void)path;
	(void)type;
	(void)id;
	(void)quota;
	return FSAL_IS_ERROR(status) ? status : fsalstat(ERR_FSAL_NO_QUOTA, 0);
}

static fsal_status_t set_quota(struct fsal_export *fsal_export, const char *path, int type, int id,
	fsal_quota_t *quota, fsal_quota_t *result)
{
	(void)result;
	return get_quota(fsal_export, path, type, id, quota);
}

void rdx_export_ops_init(struct export_ops *ops)
{
	ops->prepare_unexport = prepare_unexport;
	ops->release = export_release;
	ops->lookup_path = lookup_path;
	ops->wire_to_host = wire_to_host;
	ops->create_handle = create_handle;
	ops->get_fs_dynamic_info = get_dynamic_info;
	ops->get_quota = get_quota;
	ops->set_quota = set_quota;
	ops->get_write_verifier = get_write_verifier;
	ops->alloc_state = rdx_alloc_state;
	ops->free_state = rdx_free_state;
}
