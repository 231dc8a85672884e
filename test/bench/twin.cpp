// The inner algorithm of the simulator once more, as a small C++ program: draws the same visits, and takes
// each through the TLBs, the page walk, the caches and the records of why something was lost. It starts from
// the state that world.mjs wrote at the end of a simulation's warm-up and must reach the same counts. What
// it takes is the practical limit: nothing around it, every size a known address, compiled ahead with -O3.
//
// twin WORLD: prints CPU seconds of the loop, then a line per count.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef std::vector<i32> Section;

static FILE *file;

[[noreturn]] static void fail(const char *what) {
  fprintf(stderr, "twin: %s\n", what);
  exit(1);
}

static Section section() {
  i32 words;
  if (fread(&words, 4, 1, file) != 1) fail("the world ends early");
  Section out(words);
  if (words > 0 && fread(out.data(), 4, words, file) != (size_t)words) fail("the world ends early");
  return out;
}

enum { PRESENT = 1, WRITABLE = 2, ACCESSED = 4, DIRTY = 8, GLOBAL = 16, LARGE = 32, PTE_SHIFT = 7 };
enum { COLD, CAPACITY, INTERFERENCE, CAUSES = 11, LINE_CAUSES = 4 };
enum { FETCH, LOAD, STORE, SEQUENTIAL = 1 << 24 };
enum { IN_L1, IN_L2, IN_L3, IN_DRAM };

static i32 dataOn, nestedOn, asid, vcpu, vm, root, nestedRoot, frameBase, cpiQ8, carry, exposedQ8, exposedInRowQ8;
static i32 l2HitCycles, overheadCycles, pwcCycles, ntlbCycles, sequence, framesPerNode;
static i32 nestedLeaves, walksAtL1, exclusive, swaps;
static i32 *entries, *frames, *mirrors, *loss, *lineStates, *owners;
// Cycles since the start of the simulation, and what has passed of the access under way.
static i64 startTime, accessTime;

static struct {
  i64 visits, references, instructions, l1d_misses, l2d_hits, l2d_misses, walks;
  i64 walk_reads_guest, walk_reads_nested, pwc_hits, nested_tlb_hits, nested_tlb_misses;
  i64 walk_l1_hits, walk_l2_hits, walk_l3_hits, walk_dram, data_lines, l1i_line_misses, l1d_line_misses;
  i64 data_l2_misses, data_l3_hits, data_dram, write_backs;
  i64 user, l2hit, walksBy[CAUSES], guestBy[CAUSES], nestedBy[CAUSES];
  i64 stallL2, stallL3By[LINE_CAUSES], stallMemoryBy[LINE_CAUSES], stallQueue;
} n;

// TLBs and walk caches, as in src/machine/tlb.ts: a translation is one entry whether one level holds it or both, found in
// one hash. An entry is named by its number in one pool; 0 is none.

struct Entry {
  i32 key, tag, chain, next, prev, frame, flags, slot, seq;
};
enum { TLB_L1 = 1 << 7, TLB_L2 = 1 << 8, OWNER_SHIFT = 9 };
static Entry pool[8192];
static i32 poolUsed = 1;

static const u32 GOLDEN = 0x9e3779b1u, MIX = 0x85ebca6bu;

struct Table {
  i32 *heads = nullptr, shift = 0;
  // Of a walk cache: its entries, and the first of them.
  i32 count = 0, first = 0;
  void make(i32 entries, i32 each) {
    i32 size = 16, bits = 4;
    while (size < each * entries) size *= 2, bits++;
    heads = (i32 *)calloc(size, 4);
    shift = 32 - bits;
  }
};

static inline u32 hashOf(i32 key, i32 tag, i32 shift) {
  return (((u32)key ^ (u32)tag * MIX) * GOLDEN) >> shift;
}
static inline i32 find(const Table &t, i32 key, i32 tag) {
  i32 e = t.heads[hashOf(key, tag, t.shift)];
  while (e != 0 && (pool[e].key != key || pool[e].tag != tag)) e = pool[e].chain;
  return e;
}
static inline void hash(Table &t, i32 e, i32 key, i32 tag) {
  pool[e].key = key;
  pool[e].tag = tag;
  i32 &head = t.heads[hashOf(key, tag, t.shift)];
  pool[e].chain = head;
  head = e;
}
static inline void unhash(Table &t, i32 e) {
  i32 *at = &t.heads[hashOf(pool[e].key, pool[e].tag, t.shift)];
  while (*at != e) at = &pool[*at].chain;
  *at = pool[e].chain;
}

// Data TLBs: levels 1 and 2 times three page sizes; sizes may share an array. Sets of the first level are lists with a
// home in the pool, which counts empty ways in `chain`; those of the second are rows of entries, most recent first.
struct Array {
  i32 sets = 0, ways = 0, homes = 0;
  i32 *rows = nullptr;
};
static Array stores[6];
static Array *tlb[6];
static i32 resident[6];
static Table translations, pwc, ntlb;
static i32 freeEntry;

static inline i32 homeOf(const Array &a, i32 key) { return a.homes + (key & (a.sets - 1)); }
static inline i32 *rowOf(const Array &a, i32 key) { return a.rows + (key & (a.sets - 1)) * a.ways; }
static inline void putFirst(i32 e, i32 home) {
  i32 newest = pool[home].next;
  pool[e].next = newest;
  pool[e].prev = home;
  pool[newest].prev = e;
  pool[home].next = e;
}
// Without a branch: whether it is the newest cannot be guessed.
static inline void touch(i32 e, i32 home) {
  i32 next = pool[e].next, prev = pool[e].prev;
  pool[prev].next = next;
  pool[next].prev = prev;
  putFirst(e, home);
}
static inline void toFront(i32 *row, i32 ways, i32 e) {
  if (ways == 4) {
    // Without a branch: which of the four it is cannot be guessed.
    i32 a = row[0], b = row[1], c = row[2], d = row[3];
    i32 afterA = -(a != e), afterB = afterA & -(b != e), afterC = afterB & -(c != e);
    row[0] = e;
    row[1] = b ^ ((a ^ b) & afterA);
    row[2] = c ^ ((b ^ c) & afterB);
    row[3] = d ^ ((c ^ d) & afterC);
    return;
  }
  i32 previous = e;
  for (i32 i = 0; i < ways; i++) {
    i32 here = row[i];
    row[i] = previous;
    if (here == e) return;
    previous = here;
  }
}
static inline i32 putInRow(i32 *row, i32 ways, i32 e) {
  i32 victim = row[ways - 1];
  for (i32 i = ways - 1; i > 0; i--) row[i] = row[i - 1];
  row[0] = e;
  return victim;
}
static inline i32 putInList(i32 home, i32 e) {
  i32 victim = 0;
  if (pool[home].chain != 0) pool[home].chain--;
  else {
    victim = pool[home].prev;
    pool[pool[victim].prev].next = home;
    pool[home].prev = pool[victim].prev;
  }
  putFirst(e, home);
  return victim;
}

static inline i32 create(i32 key, i32 tag) {
  i32 e = freeEntry;
  freeEntry = pool[e].chain;
  hash(translations, e, key, tag);
  return e;
}
static inline void destroy(i32 e) {
  unhash(translations, e);
  pool[e].tag = -1;
  pool[e].flags = 0;
  pool[e].chain = freeEntry;
  freeEntry = e;
}

// Puts an entry into array `a`; returns who had to go, or 0.
static inline i32 put(i32 a, i32 e) {
  Array &array = *tlb[a];
  pool[e].flags |= a < 3 ? TLB_L1 : TLB_L2;
  return a < 3 ? putInList(homeOf(array, pool[e].key), e)
               : putInRow(rowOf(array, pool[e].key), array.ways, e);
}

static void loadTlbs() {
  Section which = section();
  std::vector<Section> contents;
  i32 entries = 1;
  for (i32 a = 0; a < 6; a++) {
    contents.push_back(section());
    const Section &s = contents.back();
    tlb[a] = which[a] < 0 ? nullptr : &stores[which[a]];
    if (s.empty() || which[a] != a) continue;
    Array &array = stores[a];
    array.sets = s[1];
    array.ways = s[0] / s[1];
    entries += s[0];
    if (a < 3) {
      array.homes = poolUsed;
      poolUsed += array.sets;
      for (i32 set = 0; set < array.sets; set++) {
        i32 home = array.homes + set;
        pool[home] = {-1, -1, array.ways, home, home, 0, 0, 0, 0};
      }
    } else array.rows = (i32 *)calloc(s[0], 4);
  }
  translations.make(entries, 4);
  if (poolUsed + entries > (i32)(sizeof pool / sizeof pool[0])) fail("TLBs too large");
  freeEntry = poolUsed;
  for (i32 e = poolUsed; e < poolUsed + entries; e++) pool[e] = {-1, -1, e + 1, 0, 0, 0, 0, 0, 0};
  poolUsed += entries;
  for (i32 a = 0; a < 6; a++) {
    const Section &s = contents[a];
    if (s.empty() || which[a] != a) continue;
    for (size_t i = 2; i < s.size(); i += 6) {
      i32 e = find(translations, s[i], s[i + 1]);
      if (e == 0) {
        e = create(s[i], s[i + 1]);
        pool[e].flags = (s[i + 3] & 0x7f) | (s[i + 3] >> 8) << OWNER_SHIFT;
      }
      pool[e].frame = s[i + 2];
      pool[e].slot = s[i + 4];
      pool[e].seq = s[i + 5];
      i32 size = s[i + 1] & 3;
      put((a < 3 ? 0 : 3) + size, e);
      resident[(a < 3 ? 0 : 3) + size]++;
    }
  }
}

// Memory channels: pieces of 1024 cycles, each with room for so many lines. Two words for each: its number, and room.
static i32 *channels, *dramByNode, pieceMask, linesPerPiece;

static inline i32 dramCycles(i32 frame) { return dramByNode[frame / framesPerNode]; }

// A line of the memory of `frame` passes at `accessTime`; returns how long it waits.
static i32 takeSlot(i32 frame) {
  i32 *ring = channels + frame / framesPerNode * (pieceMask + 1) * 2;
  const i32 first = (i32)(accessTime >> 10);
  for (i32 later = 0;; later++) {
    i32 piece = first + later, *at = ring + ((piece & pieceMask) << 1), apart = at[0] - piece;
    // Forgotten: there was room.
    if (apart > 0) return 0;
    if (apart < 0) {
      at[0] = piece;
      at[1] = linesPerPiece;
    }
    if (at[1] == 0) continue;
    at[1]--;
    return later == 0 ? 0 : (i32)((((i64)first + later) << 10) - accessTime);
  }
}

// Caches: a set is its tags, most recent first. A tag is (frame + 1) << 1, plus 1 if the line is dirty. In an L1 the most
// recent of all sets come first, then the second ones, and so on; in the L2 the most recent come before the others.
struct L1 {
  i32 *tags, ways, setMask, apart, cycles;
};
static L1 l1i, l1d;
static i32 *l2Tags, *l3Tags, l2Ways, l2SetMask, l2Cycles, l3Ways, l3SetMask, l3Cycles;
// Of the last line from below the L2, or out of it.
static i32 lineCause, waited, victimOfL2;

static inline bool same(i32 a, i32 b) { return (u32)(a ^ b) >> 1 == 0; }
static inline i32 frameOf(i32 tag) { return (i32)((u32)tag >> 1) - 1; }

static inline i32 takeFromL3(i32 tag, i32 number) {
  i32 *begin = l3Tags + (number & l3SetMask) * l3Ways, *last = begin + l3Ways - 1;
  for (i32 *at = begin; at <= last; at++) {
    i32 here = *at;
    if (same(here, tag)) {
      for (; at < last; at++) {
        *at = at[1];
        if (*at == 0) return here;
      }
      *last = 0;
      return here;
    }
    if (here == 0) return 0;
  }
  return 0;
}

// Returns what it pushes out, or 0.
static inline i32 intoL3(i32 tag, i32 number) {
  i32 *begin = l3Tags + (number & l3SetMask) * l3Ways, *end = begin + l3Ways, previous = tag;
  for (i32 *at = begin; at < end; at++) {
    i32 here = *at;
    *at = previous;
    if (same(here, tag)) {
      *begin |= here & 1;
      return 0;
    }
    if (here == 0) return 0;
    previous = here;
  }
  return previous;
}

// From the L3 or from memory; plus 4 if dirty.
static i32 bringFromBelow(i32 frame, i32 line, i32 tag) {
  if (dataOn) {
    i32 &word = lineStates[(frame << 2) | (line >> 4)], shift = (line & 15) << 1;
    lineCause = ((u32)word >> shift) & 3;
    word |= 3 << shift;
  }
  if (l3Tags) {
    if (i32 found = takeFromL3(tag, (frame << 6) | line)) {
      waited = 0;
      return IN_L3 | ((found & 1) << 2);
    }
  }
  waited = takeSlot(frame);
  return IN_DRAM;
}

static void leaveL2(i32 tag, i32 line) {
  i32 frame = frameOf(tag);
  if (dataOn) {
    i32 &word = lineStates[(frame << 2) | (line >> 4)], shift = (line & 15) << 1;
    word = (word & ~(3 << shift)) | ((owners[frame] == vm ? 1 : 2) << shift);
  }
  i32 out = l3Tags ? intoL3(tag, (frame << 6) | line) : tag;
  if (out & 1) {
    n.write_backs++;
    takeSlot(frameOf(out));
  }
}

static inline i32 *setOf(const L1 &l1, i32 number) { return l1.tags + (number & l1.setMask); }

static bool isInL1(const L1 &l1, i32 tag, i32 number) {
  i32 *set = setOf(l1, number);
  for (i32 way = 0; way < l1.ways; way++) {
    if (same(set[way * l1.apart], tag)) return true;
  }
  return false;
}

static i32 takeFromL1(const L1 &l1, i32 tag, i32 number) {
  i32 *set = setOf(l1, number);
  for (i32 way = 0; way < l1.ways; way++) {
    i32 here = set[way * l1.apart];
    if (!same(here, tag)) continue;
    for (; way < l1.ways - 1; way++) set[way * l1.apart] = set[(way + 1) * l1.apart];
    set[way * l1.apart] = 0;
    return here;
  }
  return 0;
}

static inline i32 *othersOfL2(i32 set) { return l2Tags + l2SetMask + 1 + set * (l2Ways - 1); }

static bool isInL2(i32 set, i32 tag) {
  if (same(l2Tags[set], tag)) return true;
  i32 *others = othersOfL2(set);
  for (i32 way = 0; way < l2Ways - 1; way++) {
    if (same(others[way], tag)) return true;
  }
  return false;
}

static i32 takeFromL2(i32 set, i32 tag) {
  i32 *at = othersOfL2(set), *end = at + l2Ways - 1, found = l2Tags[set];
  if (same(found, tag)) l2Tags[set] = at < end ? *at : 0;
  else {
    while (at < end && !same(*at, tag)) at++;
    if (at == end) return 0;
    found = *at;
  }
  for (at++; at < end; at++) at[-1] = *at;
  if (l2Ways > 1) end[-1] = 0;
  return found;
}

// Puts `tag` in front and takes `sought` out; or returns 0 with what fell out at the end in `victimOfL2`.
static inline i32 exchangeInL2(i32 set, i32 tag, i32 sought) {
  i32 previous = l2Tags[set];
  l2Tags[set] = tag;
  victimOfL2 = 0;
  if (same(previous, sought)) return previous;
  i32 *begin = othersOfL2(set), *end = begin + l2Ways - 1;
  for (i32 *at = begin; at < end; at++) {
    i32 here = *at;
    *at = previous;
    if (same(here, sought)) return here;
    previous = here;
  }
  victimOfL2 = previous;
  return 0;
}

static void intoL2(i32 tag, i32 line) {
  i32 set = ((frameOf(tag) << 6) | line) & l2SetMask;
  if (i32 held = exchangeInL2(set, tag, tag)) l2Tags[set] = tag | (held & 1);
  else if (victimOfL2 != 0) leaveL2(victimOfL2, line);
}

static inline i32 missExclusive(const L1 &other, i32 frame, i32 line, i32 victim) {
  const i32 tag = (frame + 1) << 1, number = (frame << 6) | line, set = number & l2SetMask;
  const bool inOnePass = swaps && victim != 0 && (((frameOf(victim) << 6) | line) & l2SetMask) == set;
  i32 found = inOnePass ? exchangeInL2(set, victim, tag) : takeFromL2(set, tag);
  const i32 evicted = inOnePass ? victimOfL2 : 0;
  if (found == 0) found = takeFromL1(other, tag, number);
  const i32 level = found != 0 ? IN_L2 | ((found & 1) << 2) : bringFromBelow(frame, line, tag);
  if (!inOnePass) {
    if (victim != 0) intoL2(victim, line);
  } else if (evicted != 0) leaveL2(evicted, line);
  return level;
}

static i32 intoFrontOfL2(i32 frame, i32 line, bool asksL1) {
  const i32 tag = (frame + 1) << 1, number = (frame << 6) | line, set = number & l2SetMask;
  if (asksL1 && !isInL2(set, tag) && (isInL1(l1d, tag, number) || isInL1(l1i, tag, number))) return IN_L1;
  if (i32 found = exchangeInL2(set, tag, tag)) {
    l2Tags[set] = found;
    return IN_L2;
  }
  const i32 evicted = victimOfL2, level = bringFromBelow(frame, line, tag);
  l2Tags[set] = tag | (level >> 2);
  if (evicted != 0) leaveL2(evicted, line);
  return level & 3;
}

static inline i32 accessL1(const L1 &l1, const L1 &other, i32 frame, i32 line, i32 write) {
  const i32 tag = (frame + 1) << 1;
  i32 *begin = setOf(l1, (frame << 6) | line), *end = begin + l1.ways * l1.apart, previous = *begin;
  if (same(previous, tag)) {
    *begin = previous | write;
    return IN_L1;
  }
  for (i32 *at = begin + l1.apart; at < end; at += l1.apart) {
    i32 here = *at;
    *at = previous;
    if (same(here, tag)) {
      *begin = here | write;
      return IN_L1;
    }
    previous = here;
  }
  if (exclusive) {
    i32 level = missExclusive(other, frame, line, previous);
    *begin = tag | write | (level >> 2);
    return level & 3;
  }
  i32 level = intoFrontOfL2(frame, line, false);
  *begin = tag | write;
  if (previous & 1) intoL2(previous, line);
  return level;
}

static inline i32 readTableLine(i32 frame, i32 line) {
  i32 level;
  if (walksAtL1) level = accessL1(l1d, l1i, frame, line, 0);
  else if (same(l2Tags[((frame << 6) | line) & l2SetMask], (frame + 1) << 1)) level = IN_L2;
  else level = intoFrontOfL2(frame, line, dataOn != 0);
  switch (level) {
    case IN_L1:
      n.walk_l1_hits++;
      return walksAtL1 ? l1d.cycles : l2Cycles;
    case IN_L2:
      n.walk_l2_hits++;
      return l2Cycles;
    case IN_L3:
      n.walk_l3_hits++;
      return l3Cycles;
    default:
      n.walk_dram++;
      return dramCycles(frame) + waited;
  }
}

// Page walks.

static i32 walkFrame, walkSize, walkFlags, walkSlot, walkGuest, walkNested, nestedSize, nestedSlot;

// Page-walk cache and nested TLB: times of use instead of a list.
static i32 now, walkVersion;
static inline void replaceOldest(Table &t, i32 key, i32 frame) {
  walkVersion++;
  i32 oldest = t.first;
  for (i32 e = t.first + 1; e < t.first + t.count; e++) {
    if (pool[e].next < pool[oldest].next) oldest = e;
  }
  if (pool[oldest].tag != -1) unhash(t, oldest);
  hash(t, oldest, key, asid);
  pool[oldest].next = ++now;
  pool[oldest].frame = frame;
}

static inline i32 upperEntry(i32 slot, i32 frame, i64 &reads) {
  i32 hit = find(pwc, slot, asid);
  if (hit != 0) {
    pool[hit].next = ++now;
    n.pwc_hits++;
    return pwcCycles;
  }
  replaceOldest(pwc, slot, 0);
  reads++;
  return readTableLine(frame, (slot & 511) >> 3);
}

static void loadWalkCache(Table &t) {
  Section s = section();
  if (s.empty()) return;
  t.count = s[0];
  t.make(t.count, 8);
  t.first = poolUsed;
  for (i32 way = 0; way < t.count; way++) pool[poolUsed++] = {-1, -1, 0, 0, 0, 0, 0, 0, 0};
  for (size_t i = 2; i < s.size(); i += 6) {
    i32 e = t.first + (i32)(i - 2) / 6;
    hash(t, e, s[i], s[i + 1]);
    pool[e].next = ++now;
    pool[e].frame = s[i + 2];
  }
}

static inline i32 indexOf(i32 page, i32 level) { return ((u32)page >> (9 * level)) & 511; }

// Memos of paths through the three upper tables, by region, those through nested tables apart (src/machine/walk-memo.ts).
struct Memo {
  i32 region, root, version, node, frame, slot[3], entry[3], held[3], under[4];
};
static Memo memos[2][64];

// The path to the last table for a page, if one is remembered and still holds, or null.
static inline Memo *findMemo(Memo *of, i32 root, i32 page) {
  Memo &memo = of[((u32)page >> 9) & 63];
  if (memo.region != (i32)((u32)page >> 9) || memo.root != root) return nullptr;
  if (memo.version == walkVersion) return &memo;
  for (i32 i = 0; i < 3; i++) {
    const Entry &held = pool[memo.held[i]];
    if (entries[memo.slot[i]] != memo.entry[i] || held.key != memo.slot[i] || held.tag != asid) return nullptr;
  }
  if (memo.under[3] != 0) {
    for (i32 i = 0; i < 4; i++) {
      const Entry &held = pool[memo.under[i]];
      i32 node = i < 3 ? memo.slot[i] >> 9 : memo.node;
      if (held.key != frames[node] || held.tag != asid) return nullptr;
    }
    if (pool[memo.under[3]].frame != memo.frame) return nullptr;
  }
  memo.version = walkVersion;
  return &memo;
}

static inline void replayMemo(const Memo &memo, bool under) {
  for (i32 i = 0; i < 3; i++) {
    if (under) pool[memo.under[i]].next = ++now;
    pool[memo.held[i]].next = ++now;
  }
  n.pwc_hits += 3;
  if (!under) return;
  pool[memo.under[3]].next = ++now;
  n.nested_tlb_hits += 4;
}

static void rememberWalk(Memo *of, i32 root, i32 page, bool under) {
  Memo &memo = of[((u32)page >> 9) & 63];
  memo.region = (u32)page >> 9;
  memo.root = root;
  memo.version = walkVersion;
  i32 node = root;
  for (i32 i = 0; i < 4; i++) {
    memo.under[i] = under ? find(ntlb, frames[node], asid) : 0;
    if (i == 3) break;
    memo.slot[i] = (node << 9) | indexOf(page, 3 - i);
    memo.entry[i] = entries[memo.slot[i]];
    memo.held[i] = find(pwc, memo.slot[i], asid);
    node = (u32)memo.entry[i] >> PTE_SHIFT;
  }
  memo.node = node;
  memo.frame = under ? pool[memo.under[3]].frame : frames[node];
}

static i32 nestedWalk(i32 gfn) {
  i32 node = nestedRoot, level = 3;
  const Memo *known = findMemo(memos[1], nestedRoot, gfn);
  const i64 reads = n.walk_reads_nested;
  if (known) {
    replayMemo(*known, false);
    walkNested += 3 * pwcCycles;
    node = known->node;
    level = 0;
  }
  for (;; level--) {
    i32 slot = (node << 9) | indexOf(gfn, level), entry = entries[slot];
    if (!(entry & PRESENT)) fail("nested fault");
    if (level > 0 && !(entry & LARGE)) {
      walkNested += upperEntry(slot, frames[node], n.walk_reads_nested);
      node = (u32)entry >> PTE_SHIFT;
      continue;
    }
    const bool warm = level == 0 && !known && n.walk_reads_nested == reads;
    if (nestedLeaves) walkNested += upperEntry(slot, frames[node], n.walk_reads_nested);
    else {
      n.walk_reads_nested++;
      walkNested += readTableLine(frames[node], (slot & 511) >> 3);
    }
    if (warm) rememberWalk(memos[1], nestedRoot, gfn, false);
    nestedSize = level;
    nestedSlot = slot;
    return ((u32)entry >> PTE_SHIFT) + (gfn & ((1 << (9 * level)) - 1));
  }
}

static inline i32 tableFrame(i32 gfn) {
  i32 hit = find(ntlb, gfn, asid);
  if (hit != 0) {
    pool[hit].next = ++now;
    n.nested_tlb_hits++;
    walkNested += ntlbCycles;
    return pool[hit].frame;
  }
  n.nested_tlb_misses++;
  i32 frame = nestedWalk(gfn);
  replaceOldest(ntlb, gfn, frame);
  return frame;
}

static void walk(i32 vpn, bool write) {
  i32 node = root, level = 3;
  const Memo *known = findMemo(memos[0], root, vpn);
  const i64 reads = n.walk_reads_guest, misses = n.nested_tlb_misses;
  walkGuest = overheadCycles;
  walkNested = 0;
  if (known) {
    replayMemo(*known, nestedOn);
    walkGuest += 3 * pwcCycles;
    if (nestedOn) walkNested += 4 * ntlbCycles;
    node = known->node;
    level = 0;
  }
  for (;; level--) {
    i32 frame = known && nestedOn ? known->frame : nestedOn ? tableFrame(frames[node]) : frames[node] + frameBase;
    i32 slot = (node << 9) | indexOf(vpn, level), entry = entries[slot];
    if (!(entry & PRESENT)) fail("page fault");
    if (level > 0 && !(entry & LARGE)) {
      walkGuest += upperEntry(slot, frame, n.walk_reads_guest);
      node = (u32)entry >> PTE_SHIFT;
      continue;
    }
    if (level == 0 && !known && n.walk_reads_guest == reads && n.nested_tlb_misses == misses) {
      rememberWalk(memos[0], root, vpn, nestedOn);
    }
    n.walk_reads_guest++;
    walkGuest += readTableLine(frame, (slot & 511) >> 3);
    if (write && !(entry & WRITABLE)) fail("page fault");
    walkFlags = entry | ACCESSED | (write ? DIRTY : 0);
    if (walkFlags != entry) entries[slot] = walkFlags;
    walkSize = level;
    walkSlot = nestedOn ? slot : (mirrors[node] << 9) | (slot & 511);
    if (!nestedOn) {
      walkFrame = ((u32)entry >> PTE_SHIFT) + frameBase;
      return;
    }
    i32 hfn = nestedWalk(((u32)entry >> PTE_SHIFT) + (vpn & ((1 << (9 * level)) - 1)));
    if (level > nestedSize) {
      walkSize = nestedSize;
      walkSlot = nestedSlot;
    }
    walkFrame = hfn - (vpn & ((1 << (9 * walkSize)) - 1));
    return;
  }
}

// What follows a miss of the 4K look-up in the L1 TLB.

static void admit(i32 a, i32 e) {
  i32 victim = put(a, e);
  resident[a]++;
  if (victim == 0) return;
  Entry &gone = pool[victim];
  i32 size = gone.tag & 3, level = a < 3 ? 0 : 3;
  resident[level + size]--;
  gone.flags &= ~(a < 3 ? TLB_L1 : TLB_L2);
  // A live translation is lost; everything here belongs to one VM.
  if ((level == 3 || tlb[3 + size] == nullptr) && gone.seq == sequence) {
    loss[gone.slot] = gone.flags >> OWNER_SHIFT == vcpu ? -CAPACITY : -INTERFERENCE;
  }
  if (!(gone.flags & (TLB_L1 | TLB_L2))) destroy(victim);
}

static i32 findLarge(i32 level, i32 vpn, i32 bit) {
  for (i32 size = 1; size < 3; size++) {
    if (resident[level + size] == 0) continue;
    i32 e = find(translations, (u32)vpn >> (9 * size), (asid << 2) | size);
    if (e != 0 && pool[e].flags & bit) return e;
  }
  return 0;
}

// `held`: the 4K entry of the page, which is in the L2 only, or 0.
static i32 translate(i32 vpn, bool write, i32 held, i64 &time) {
  if (i32 e = findLarge(0, vpn, TLB_L1)) {
    touch(e, homeOf(*tlb[pool[e].tag & 3], pool[e].key));
    return e;
  }
  n.l1d_misses++;
  if (i32 e = held != 0 ? held : findLarge(3, vpn, TLB_L2)) {
    n.l2d_hits++;
    n.l2hit += l2HitCycles;
    time += l2HitCycles;
    i32 size = pool[e].tag & 3;
    const Array &second = *tlb[3 + size];
    toFront(rowOf(second, pool[e].key), second.ways, e);
    admit(size, e);
    return e;
  }
  n.l2d_misses++;
  accessTime = time;
  walk(vpn, write);
  time += walkGuest + walkNested;
  i32 record = loss[walkSlot];
  if (record > 0 && record != sequence) fail("a flush");
  i32 cause = record < 0 ? -record : COLD;
  n.walks++;
  n.walksBy[cause]++;
  n.guestBy[cause] += walkGuest;
  n.nestedBy[cause] += walkNested;
  i32 size = walkSize;
  while (size > 0 && tlb[size] == nullptr) {
    size--;
    walkFrame += vpn & ((1 << (9 * (size + 1))) - 1) & ~((1 << (9 * size)) - 1);
  }
  loss[walkSlot] = sequence;
  i32 e = create((u32)vpn >> (9 * size), (asid << 2) | size);
  pool[e].frame = walkFrame;
  pool[e].flags = (walkFlags & 0x7f) | (vcpu << OWNER_SHIFT);
  pool[e].slot = walkSlot;
  pool[e].seq = sequence;
  if (tlb[3 + size]) admit(3 + size, e);
  admit(size, e);
  return e;
}

static inline void touchLines(i32 frame, i32 op, i64 &time) {
  const i32 line = (op >> 8) & 63, lines = (op >> 16) & 127, kind = op & 255, write = kind == STORE;
  const L1 &l1 = kind == FETCH ? l1i : l1d, &other = kind == FETCH ? l1d : l1i;
  const i32 exposed = op & SEQUENTIAL ? exposedInRowQ8 : exposedQ8;
  n.data_lines += lines;
  for (i32 i = 0; i < lines; i++) {
    accessTime = time;
    const i32 level = accessL1(l1, other, frame, (line + i) & 63, write);
    if (level == IN_L1) continue;
    (kind == FETCH ? n.l1i_line_misses : n.l1d_line_misses)++;
    i32 latency;
    i64 *leaf;
    if (level == IN_L2) {
      latency = l2Cycles - l1d.cycles;
      leaf = &n.stallL2;
    } else {
      n.data_l2_misses++;
      if (level == IN_L3) {
        n.data_l3_hits++;
        latency = l3Cycles;
        leaf = &n.stallL3By[lineCause];
      } else {
        n.data_dram++;
        latency = dramCycles(frame);
        leaf = &n.stallMemoryBy[lineCause];
        n.stallQueue += waited;
        time += waited;
      }
    }
    const i32 stall = (latency * exposed) >> 8;
    *leaf += stall;
    time += stall;
  }
}

struct Item {
  i32 vpn, op, references, instructions;
};

static void run(const Item *items, i32 count) {
  const Array &l1 = *tlb[0];
  const i32 tag = asid << 2;
  i64 time = startTime, slow = 0;
  i32 references = 0, instructions = 0;
  for (const Item *item = items; item < items + count; item++) {
    const i32 vpn = item->vpn, op = item->op & 255;
    i32 e = find(translations, vpn, tag);
    if (op == STORE && e != 0 && (pool[e].flags & (WRITABLE | DIRTY)) != (WRITABLE | DIRTY)) fail("a store");
    if (e != 0 && pool[e].flags & TLB_L1) touch(e, homeOf(l1, vpn));
    else {
      i64 before = time;
      e = translate(vpn, op == STORE, e, time);
      slow += time - before;
    }
    references += item->references;
    instructions += item->instructions;
    carry += item->instructions * cpiQ8;
    time += carry >> 8;
    carry &= 255;
    if (dataOn) {
      const i64 before = time;
      const i32 size = pool[e].tag & 3, frame = pool[e].frame + (vpn & ((1 << (9 * size)) - 1));
      touchLines(frame, item->op, time);
      slow += time - before;
    }
  }
  n.visits += count;
  n.references += references;
  n.instructions += instructions;
  n.user += time - startTime - slow;
  startTime = time;
}

// The generator of visits.

static u32 s0, s1, s2, s3;
static inline u32 draw() {
  u32 x = s1 * 5, bits = ((x << 7) | (x >> 25)) * 9, t = s1 << 9;
  s2 ^= s0;
  s3 ^= s1;
  s1 ^= s2;
  s0 ^= s3;
  s2 ^= t;
  s3 = (s3 << 11) | (s3 >> 21);
  return bits;
}
static inline i32 below(i32 limit, u32 bits) { return (i32)(((uint64_t)bits * (u32)limit) >> 32); }

static Section regions, heads, sizesOf, table, lineTables;
static i32 position;

static void fill(Item *items, i32 count) {
  enum { KIND, START, PAGES, STEP, PHASE, LINES, CURSOR, COUNT };
  for (Item *item = items; item < items + count; item++) {
    i32 head = heads[position], sizes = sizesOf[position];
    position = (position + 1) & (i32)(heads.size() - 1);
    i32 *region = &regions[((head >> 8) & 255) * 8];
    u32 bits = draw();
    i32 pages = region[PAGES], index, op = head & 0x17f00ff;
    switch (region[KIND]) {
      case 0:
        index = below(pages, bits);
        break;
      case 1: {
        i32 coin = draw() >> 16;
        const i32 *column = &table[3 * below(pages, bits)];
        index = column[coin < column[0] ? 1 : 2];
        break;
      }
      case 2:
        index = region[CURSOR];
        region[CURSOR] = index + region[STEP] >= pages ? index + region[STEP] - pages : index + region[STEP];
        break;
      case 3:
        index = region[CURSOR];
        region[CURSOR] = table[index];
        break;
      case 5: {
        i32 place = region[CURSOR], offset = place & 4095, stop = offset + region[STEP];
        index = place >> 12;
        if (stop > 4096) stop = 4096;
        op += ((offset >> 6) << 8) + ((((stop - 1) >> 6) - (offset >> 6)) << 16);
        i32 next = place - offset + stop;
        region[CURSOR] = next < pages << 12 ? next : 0;
        break;
      }
      default:
        if (region[COUNT] == 0) {
          region[CURSOR] = below(pages, bits);
          region[COUNT] = region[PHASE];
        }
        region[COUNT]--;
        index = region[CURSOR] + below(region[STEP], bits * GOLDEN);
        if (index >= pages) index -= pages;
    }
    if (dataOn && region[KIND] != 5) {
      op |= (((i32)(((u32)index * GOLDEN) >> 26) + lineTables[region[LINES] + (bits & 1023)]) & 63) << 8;
    }
    *item = {region[START] + index, op, sizes & 65535, sizes >> 16};
  }
}

static double cpuSeconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void print(const char *name, i64 value) {
  if (value != 0) printf("%s %lld\n", name, (long long)value);
}
typedef const char *const Names[];
static Names causes = {"cold", "capacity", "interference", "world-switch", "asid-exhausted",
                       "cr3",  "invlpg",   "shootdown",    "migration"};
static Names lineCauses = {"cold", "capacity", "interference", "migration"};
static void printBy(const char *name, const char *separator, const i64 *values, Names &of, i32 count) {
  for (i32 cause = 0; cause < count; cause++) {
    if (values[cause] != 0) printf("%s%s%s %lld\n", name, separator, of[cause], (long long)values[cause]);
  }
}

int main(int argc, char **argv) {
  file = argc > 1 ? fopen(argv[1], "rb") : nullptr;
  if (!file) fail("usage: twin WORLD");
  Section p = section();
  i32 k = 0;
  i64 visits = p[k++];
  for (i32 *to : {&dataOn, &nestedOn, &asid, &vcpu, &vm, &root, &nestedRoot, &frameBase, &cpiQ8, &carry,
                  &exposedQ8, &exposedInRowQ8, &l2HitCycles, &overheadCycles, &pwcCycles, &ntlbCycles, &nestedLeaves,
                  &walksAtL1, &l1i.ways, &l1i.setMask, &l1i.apart, &l1d.ways, &l1d.setMask, &l1d.apart,
                  &l1d.cycles, &exclusive, &swaps, &l2Ways, &l2SetMask, &l2Cycles, &l3Ways, &l3SetMask,
                  &l3Cycles, &framesPerNode, &pieceMask, &linesPerPiece, &sequence, &position}) {
    *to = p[k++];
  }
  startTime = ((i64)p[k] << 32) | (u32)p[k + 1];
  Section entriesOf = section(), framesOf = section(), mirrorsOf = section(), lossOf = section();
  entries = entriesOf.data();
  frames = framesOf.data();
  mirrors = mirrorsOf.data();
  loss = lossOf.data();
  loadTlbs();
  loadWalkCache(pwc);
  loadWalkCache(ntlb);
  Section l1iOf = section(), l1dOf = section(), l2Of = section(), l3Of = section(), channelsOf = section(), dramOf = section();
  Section states = section(), ownersOf = section();
  l1i.tags = l1iOf.data();
  l1d.tags = l1dOf.data();
  l2Tags = l2Of.data();
  l3Tags = l3Of.empty() ? nullptr : l3Of.data();
  channels = channelsOf.data();
  dramByNode = dramOf.data();
  lineStates = states.data();
  owners = ownersOf.data();
  regions = section();
  heads = section();
  sizesOf = section();
  table = section();
  lineTables = section();
  Section random = section(), rest = section();
  s0 = random[0], s1 = random[1], s2 = random[2], s3 = random[3];

  double begin = cpuSeconds();
  const i64 first = (i64)rest.size() / 4 < visits ? (i64)rest.size() / 4 : visits;
  run((const Item *)rest.data(), (i32)first);
  static Item block[256];
  for (i64 left = visits - first; left > 0; left -= 256) {
    i32 count = left < 256 ? (i32)left : 256;
    fill(block, count);
    run(block, count);
  }
  printf("%.6f\n", cpuSeconds() - begin);

#define COUNT(name) print(#name, n.name)
  COUNT(visits);
  COUNT(references);
  COUNT(instructions);
  COUNT(l1d_misses);
  COUNT(l2d_hits);
  COUNT(l2d_misses);
  COUNT(walks);
  COUNT(walk_reads_guest);
  COUNT(walk_reads_nested);
  COUNT(pwc_hits);
  COUNT(nested_tlb_hits);
  COUNT(nested_tlb_misses);
  COUNT(walk_l1_hits);
  COUNT(walk_l2_hits);
  COUNT(walk_l3_hits);
  COUNT(walk_dram);
  COUNT(data_lines);
  COUNT(l1i_line_misses);
  COUNT(l1d_line_misses);
  COUNT(data_l2_misses);
  COUNT(data_l3_hits);
  COUNT(data_dram);
  COUNT(write_backs);
  print("guest.user", n.user);
  print("tlb.l2hit", n.l2hit);
  printBy("walks", "_", n.walksBy, causes, 9);
  printBy("walk.guest", ".", n.guestBy, causes, 9);
  printBy("walk.nested", ".", n.nestedBy, causes, 9);
  print("data.stall.l2", n.stallL2);
  printBy("data.stall.l3", "-", n.stallL3By, lineCauses, LINE_CAUSES);
  printBy("data.stall.memory", "-", n.stallMemoryBy, lineCauses, LINE_CAUSES);
  print("data.stall.queue", n.stallQueue);
  return 0;
}
