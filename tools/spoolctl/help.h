/* Help, made from the table of commands. */
#ifndef SPOOLCTL_HELP_H
#define SPOOLCTL_HELP_H

/* All commands, a line each. */
void help_all(void);

/* A command, or each of those whose first word topic is. */
void help_topic(const char *topic);

#endif
