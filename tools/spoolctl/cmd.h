/* The commands. Each is called with its command line taken apart and counted,
 * says itself what goes wrong, and opens the spool itself if it needs one. */
#ifndef SPOOLCTL_CMD_H
#define SPOOLCTL_CMD_H

#include "ctl.h"

enum ending cmd_audit(struct ctl *ctl);
enum ending cmd_check(struct ctl *ctl);
enum ending cmd_destination_add(struct ctl *ctl);
enum ending cmd_destination_ls(struct ctl *ctl);
enum ending cmd_destination_rm(struct ctl *ctl);
enum ending cmd_destination_set(struct ctl *ctl);
enum ending cmd_flush(struct ctl *ctl);
enum ending cmd_gate(struct ctl *ctl);
enum ending cmd_init(struct ctl *ctl);
enum ending cmd_keys(struct ctl *ctl);
enum ending cmd_limits(struct ctl *ctl);
enum ending cmd_limits_set(struct ctl *ctl);
enum ending cmd_ls(struct ctl *ctl);
enum ending cmd_order(struct ctl *ctl);
enum ending cmd_pause(struct ctl *ctl);
enum ending cmd_purge(struct ctl *ctl);
enum ending cmd_put(struct ctl *ctl);
enum ending cmd_reconcile(struct ctl *ctl);
enum ending cmd_recover(struct ctl *ctl);
enum ending cmd_replay(struct ctl *ctl);
enum ending cmd_resume(struct ctl *ctl);
enum ending cmd_show(struct ctl *ctl);
enum ending cmd_status(struct ctl *ctl);
enum ending cmd_verify(struct ctl *ctl);
enum ending cmd_version(struct ctl *ctl);
enum ending cmd_why(struct ctl *ctl);

#endif
