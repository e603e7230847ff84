unit_test(ctl_hint LIBRARIES spoolctl_parts)
unit_test(ctl_human LIBRARIES spoolctl_parts)
unit_test(ctl_selection LIBRARIES spoolctl_parts)
unit_test(ctl_when LIBRARIES spoolctl_parts)
