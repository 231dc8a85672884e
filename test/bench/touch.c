// What cachegrind watches when it serves as a TLB simulator: reads page numbers from a file and reads a byte of
// each page. touch STREAM VISITS.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 1;
  int fd = open(argv[1], O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return 1;
  uint32_t count = st.st_size / 4, visits = atoi(argv[2]);
  volatile char *memory = mmap(NULL, 1u << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uint32_t *stream = malloc(st.st_size);
  if (memory == MAP_FAILED || !stream || read(fd, (void *)stream, st.st_size) != st.st_size) return 1;
  uint32_t at = 0;
  for (uint32_t i = 0; i < visits; i++) {
    (void)memory[(size_t)stream[at] << 12];
    if (++at == count) at = 0;
  }
  return 0;
}
