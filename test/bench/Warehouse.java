// What docs/programs.md calls the warehouse program. As it was measured:
//   javac Warehouse.java
//   valgrind --tool=cachegrind --smc-check=all-non-file --cache-sim=yes --I1=65536,2,64 --D1=65536,2,64 --LL=524288,16,64 \
//     java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx128m -Xmn16m Warehouse 100000
import java.util.*;
/** One warehouse in the manner of SPECjbb2005: orders in trees, objects made and dropped, text put together. */
public class Warehouse {
  static final class Item { final int id; final String name; final double price; Item(int i) { id = i; name = "item" + i; price = i % 97 + .99; } }
  static final class Line { Item item; int quantity; double amount; String info; }
  static final class Order { int id; Customer customer; Line[] lines; Date entry; boolean delivered; double total; }
  static final class Customer { int id; String first, last; double balance; final ArrayDeque<Order> orders = new ArrayDeque<>(); StringBuilder data = new StringBuilder(); }
  static final class Stock { int quantity, ytd; String data; }
  final Random random = new Random(42);
  final Item[] items = new Item[20000]; final HashMap<Integer, Stock> stock = new HashMap<>();
  final Customer[] customers = new Customer[30000];
  final TreeMap<Integer, Order> orders = new TreeMap<>(); final TreeMap<Integer, Order> fresh = new TreeMap<>();
  final HashMap<String, ArrayList<Customer>> byName = new HashMap<>();
  int next; long checksum;
  Warehouse() {
    for (int i = 0; i < items.length; i++) { items[i] = new Item(i); Stock s = new Stock(); s.quantity = random.nextInt(100); s.data = "stock of " + i + " " + random.nextLong(); stock.put(i, s); }
    for (int i = 0; i < customers.length; i++) { Customer c = new Customer(); c.id = i; c.first = "f" + random.nextInt(1000); c.last = "name" + random.nextInt(1000); customers[i] = c; byName.computeIfAbsent(c.last, k -> new ArrayList<>()).add(c); }
    for (int i = 0; i < 20000; i++) newOrder();
  }
  void newOrder() {
    Order o = new Order(); o.id = next++; o.customer = customers[random.nextInt(customers.length)]; o.entry = new Date(); o.lines = new Line[5 + random.nextInt(11)];
    for (int i = 0; i < o.lines.length; i++) {
      Line l = new Line(); l.item = items[random.nextInt(items.length)]; l.quantity = 1 + random.nextInt(10); Stock s = stock.get(l.item.id);
      s.quantity = s.quantity >= l.quantity + 10 ? s.quantity - l.quantity : s.quantity + 91; s.ytd += l.quantity;
      l.amount = l.quantity * l.item.price; l.info = s.data.contains("77") ? "brand" : "generic"; o.total += l.amount; o.lines[i] = l;
    }
    o.customer.orders.addLast(o); if (o.customer.orders.size() > 3) { Order old = o.customer.orders.removeFirst(); orders.remove(old.id); fresh.remove(old.id); }
    orders.put(o.id, o); fresh.put(o.id, o);
  }
  void payment() {
    ArrayList<Customer> same = byName.get("name" + random.nextInt(1000)); if (same == null) return;
    Customer[] sorted = same.toArray(new Customer[0]); Arrays.sort(sorted, (a, b) -> a.first.compareTo(b.first)); Customer c = sorted[sorted.length / 2];
    double amount = random.nextInt(5000) / 100.0; c.balance -= amount; c.data.insert(0, c.id + " " + amount + ";"); if (c.data.length() > 500) c.data.setLength(500);
    StringBuilder screen = new StringBuilder(1000); screen.append("Payment ").append(c.first).append(' ').append(c.last).append(' ').append(c.balance); for (int i = 0; i < 10; i++) screen.append(String.format("%6d", i)); checksum += screen.toString().hashCode();
  }
  void status() { Customer c = customers[random.nextInt(customers.length)]; Order o = c.orders.peekLast(); if (o == null) return; StringBuilder s = new StringBuilder(); for (Line l : o.lines) s.append(l.item.name).append(' ').append(l.quantity).append(' ').append(l.amount).append('\n'); checksum += s.toString().hashCode(); }
  void delivery() { for (int i = 0; i < 10; i++) { Map.Entry<Integer, Order> e = fresh.pollFirstEntry(); if (e == null) return; Order o = e.getValue(); o.delivered = true; double sum = 0; for (Line l : o.lines) sum += l.amount; o.customer.balance += sum; } }
  void level() { HashSet<Integer> low = new HashSet<>(); int n = 0; for (Order o : orders.descendingMap().values()) { if (++n > 20) break; for (Line l : o.lines) if (stock.get(l.item.id).quantity < 20) low.add(l.item.id); } checksum += low.size(); }
  public static void main(String[] a) {
    Warehouse w = new Warehouse(); int n = Integer.parseInt(a[0]);
    for (int i = 0; i < n; i++) { int r = w.random.nextInt(100); if (r < 43) w.newOrder(); else if (r < 86) w.payment(); else if (r < 90) w.status(); else if (r < 94) w.delivery(); else w.level(); }
    System.out.println(w.checksum);
    com.sun.management.ThreadMXBean b = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean(); System.out.println("allocated " + b.getThreadAllocatedBytes(Thread.currentThread().getId()));
  }
}
