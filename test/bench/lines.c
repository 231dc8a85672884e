// How real programs use the 64-byte lines of their pages, and what that does to caches. Reads the log of
//   valgrind --tool=lackey --vex-guest-chase=no --trace-mem=yes --log-file=/dev/stdout PROGRAM | lines [SKIP [COUNT]]
// (SKIP, COUNT: instructions; the last ten million skipped warm the caches). Prints, for code and data apart:
//   runs      references in a row to one page: how many per 1000 instructions, and how many lines of the page each touches
//   share k   of the changes of line inside windows of a million instructions those that go to the k-th most used line of a page
//   alpha     exponent of the Zipf law over `lines` lines that has the same mean share of the first line and the same entropy
//   misses    per 1000 instructions: L1 64 KiB 2-way each, L2 512 KiB 16-way (victims of both L1s), L3 2 MiB 32-way (victims
//             of the L2), as on an Opteron 1354; and how many of them continue one of 16 streams of neighbouring lines
// User mode only: the kernel is not in the log.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 1000000
#define WARMUP 10000000
#define SLOTS (1u << 17)

typedef struct {
  uint64_t page;
  uint32_t total, count[64];
} Page;

typedef struct {
  const char *name;
  Page *pages;
  uint32_t *touched, count;
  uint64_t last_line, last_page, run_lines, runs, lines, ended, stepped;
  double share[64], first_line, used, weight;
} Side;

typedef struct {
  int sets, ways;
  uint64_t *tags;
  uint64_t misses, sequential;
} Cache;

static Cache make(int bytes, int ways) {
  Cache c = {bytes / 64 / ways, ways, NULL, 0, 0};
  c.tags = calloc((size_t)c.sets * ways, 8);
  return c;
}

// Takes a line out, if it is there.
static int take(Cache *c, uint64_t line) {
  uint64_t *set = c->tags + (line % c->sets) * c->ways;
  for (int w = 0; w < c->ways; w++)
    if (set[w] == line) {
      memmove(set + w, set + w + 1, (c->ways - 1 - w) * 8);
      set[c->ways - 1] = 0;
      return 1;
    }
  return 0;
}

// Puts a line first; returns what falls out.
static uint64_t put(Cache *c, uint64_t line) {
  uint64_t *set = c->tags + (line % c->sets) * c->ways;
  uint64_t out = set[c->ways - 1];
  memmove(set + 1, set, (c->ways - 1) * 8);
  set[0] = line;
  return out;
}

static Cache l1[2], l2, l3;
static uint64_t l2_of[2], l3_of[2], sequential[2][3];
static uint64_t streams[16];
static int next_stream;

static void access_line(int side, uint64_t line) {
  if (take(&l1[side], line)) {
    put(&l1[side], line);
    return;
  }
  l1[side].misses++;
  int follows = 0;
  for (int i = 0; i < 16 && !follows; i++)
    if (streams[i] + 1 == line || streams[i] == line + 1 || streams[i] + 2 == line) streams[i] = line, follows = 1;
  if (!follows) streams[next_stream++ & 15] = line;
  sequential[side][0] += follows;
  if (!take(&l2, line)) {
    l2_of[side]++;
    sequential[side][1] += follows;
    if (!take(&l3, line)) {
      l3_of[side]++;
      sequential[side][2] += follows;
    }
  }
  uint64_t victim = put(&l1[side], line);
  if (victim && (victim = put(&l2, victim))) put(&l3, victim);
}

static Page *page_of(Side *s, uint64_t page) {
  for (uint32_t i = (uint32_t)(page * 0x9e3779b97f4a7c15ull >> 47);; i = (i + 1) & (SLOTS - 1)) {
    if (s->pages[i].page == page) return &s->pages[i];
    if (!s->pages[i].page) {
      s->pages[i].page = page;
      return &s->pages[i];
    }
  }
}

static int descending(const void *a, const void *b) { return *(uint32_t *)a < *(uint32_t *)b ? 1 : -1; }

// Adds the ranks of the lines of all pages, each weighted by its use, and starts a new window.
static void close_window(Side *s) {
  for (uint32_t i = 0; i < s->count; i++) {
    Page *page = &s->pages[s->touched[i]];
    // Rare use says nothing about popularity.
    if (page->total >= 100) {
      int used = 0;
      qsort(page->count, 64, 4, descending);
      for (int k = 0; k < 64; k++) s->share[k] += page->count[k], used += page->count[k] > 0;
      s->used += (double)used * page->total;
      s->weight += page->total;
    }
    memset(&page->total, 0, sizeof page->total + sizeof page->count);
  }
  s->count = 0;
}

static void touch(Side *s, int side, uint64_t address, int size) {
  for (uint64_t line = address >> 6; line <= (address + size - 1) >> 6; line++) {
    if (line == s->last_line) continue;
    if (line >> 6 == s->last_page) {
      if (line == s->last_line + 1) s->stepped++;
    } else {
      s->runs++;
      s->last_page = line >> 6;
      s->run_lines = 0;
    }
    if (!(s->run_lines >> (line & 63) & 1)) s->ended++;
    s->run_lines |= 1ull << (line & 63);
    s->last_line = line;
    s->lines++;
    Page *page = page_of(s, line >> 6);
    if (page->total++ == 0) s->touched[s->count++] = (uint32_t)(page - s->pages);
    page->count[line & 63]++;
    access_line(side, line);
  }
}

static double entropy(int lines, double alpha, double *first) {
  double sum = 0, h = 0;
  for (int k = 1; k <= lines; k++) sum += pow(k, -alpha);
  for (int k = 1; k <= lines; k++) {
    double p = pow(k, -alpha) / sum;
    h -= p * log2(p);
  }
  *first = 1 / sum;
  return h;
}

// The law with the entropy of the shares and, as nearly as possible, the share of the first line.
static void fit(const double *share, int *lines, double *alpha) {
  double h = 0, best = 1e9;
  for (int k = 0; k < 64; k++)
    if (share[k] > 0) h -= share[k] * log2(share[k]);
  for (int n = 4; n <= 64; n++) {
    double low = 0, high = 4, first;
    if (log2(n) < h) continue;
    for (int i = 0; i < 50; i++) {
      double middle = (low + high) / 2;
      if (entropy(n, middle, &first) > h) low = middle;
      else high = middle;
    }
    entropy(n, low, &first);
    if (fabs(first - share[0]) < best) best = fabs(first - share[0]), *lines = n, *alpha = low;
  }
}

int main(int argc, char **argv) {
  uint64_t skip = argc > 1 ? strtoull(argv[1], 0, 10) : 0, count = argc > 2 ? strtoull(argv[2], 0, 10) : UINT64_MAX;
  Side sides[2] = {{.name = "code"}, {.name = "data"}};
  for (int i = 0; i < 2; i++) sides[i].pages = calloc(SLOTS, sizeof(Page)), sides[i].touched = calloc(SLOTS, 4), l1[i] = make(65536, 2);
  l2 = make(524288, 16), l3 = make(2097152, 32);
  char text[512];
  uint64_t n = 0, measured = 0, loads = 0, stores = 0;
  while (fgets(text, sizeof text, stdin)) {
    char kind = text[0] == 'I' ? 'I' : text[1];
    if (text[2] != ' ' || (text[0] != 'I' && text[0] != ' ') || (kind != 'I' && kind != 'L' && kind != 'S' && kind != 'M')) continue;
    if (kind == 'I' && n + WARMUP < skip) {
      n++;
      continue;
    }
    if (kind != 'I' && n + WARMUP < skip) continue;
    char *at = text + 3;
    uint64_t address = 0;
    for (; *at != ','; at++) {
      int digit = *at >= 'a' ? *at - 'a' + 10 : *at - '0';
      if (digit < 0 || digit > 15) break;
      address = address << 4 | (uint64_t)digit;
    }
    if (*at != ',') continue;
    int size = atoi(at + 1);
    if (kind == 'I' && n++ == skip) {
      // Caches are warm by now; counts begin.
      for (int i = 0; i < 2; i++) {
        close_window(&sides[i]);
        sides[i] = (Side){.name = sides[i].name, .pages = sides[i].pages, .touched = sides[i].touched};
        l1[i].misses = l2_of[i] = l3_of[i] = 0;
      }
      memset(sequential, 0, sizeof sequential);
      measured = loads = stores = 0;
    }
    if (n > skip + count) break;
    if (kind == 'I' && ++measured % WINDOW == 0) close_window(&sides[0]), close_window(&sides[1]);
    if (kind == 'L' || kind == 'M') loads++;
    if (kind == 'S' || kind == 'M') stores++;
    touch(&sides[kind != 'I'], kind != 'I', address, size);
  }
  double k = measured / 1000.0;
  printf("instructions %.1fe6 loads %.0f stores %.0f per 1000\n", measured / 1e6, loads / k, stores / k);
  for (int i = 0; i < 2; i++) {
    Side *s = &sides[i];
    double alpha = 0;
    int lines = 0;
    for (int r = 0; r < 64; r++) s->share[r] /= s->weight;
    fit(s->share, &lines, &alpha);
    printf("%s runs %.0f per 1000, lines a run %.2f, changes of line %.0f per 1000, to the next line %.1f %%\n", s->name, s->runs / k,
           (double)s->ended / s->runs, s->lines / k, 100.0 * s->stepped / s->lines);
    printf("%s share", s->name);
    for (int r = 0; r < 64; r = r < 8 ? r + 1 : r * 2) printf(" %d:%.3f", r + 1, s->share[r]);
    printf(" lines in use %.1f; zipf alpha %.2f lines %d\n", s->used / s->weight, alpha, lines);
    printf("%s misses per 1000: L1 %.2f L2 %.2f L3 %.2f; sequential %.0f %.0f %.0f %%\n", s->name, l1[i].misses / k, l2_of[i] / k, l3_of[i] / k,
           100.0 * sequential[i][0] / (l1[i].misses + 1e-9), 100.0 * sequential[i][1] / (l2_of[i] + 1e-9),
           100.0 * sequential[i][2] / (l3_of[i] + 1e-9));
  }
  return 0;
}
