/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* answer.h -- says "access denied" where Ganesha has another word for a handle that it doesn't get */
#ifndef FSAL_RDMAXFER_ANSWER_H
#define FSAL_RDMAXFER_ANSWER_H

/*
 * The present request is about to be refused a handle, which Ganesha's MOUNT answers with MNT3ERR_INVAL and its COMPOUND
 * with NFS4ERR_SERVERFAULT: it becomes MNT3ERR_ACCES, or NFS4ERR_ACCESS, when the reply is encoded. Of other programs
 * and versions nothing is changed.
 */
void rdx_answer_access(void);

#endif
