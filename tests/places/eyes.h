/* A mistake for the places test to notice: nothing that lies at a place is
 * looked at, and links are followed. */
#ifndef PLACES_EYES_H
#define PLACES_EYES_H

/* For the rest of the process. */
void eyes_shut(void);

#endif
