// The first page: the site is kept from here on, so that the studio opens at once and with threads.

void navigator.serviceWorker?.register("worker.js");
