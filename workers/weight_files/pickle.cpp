#include "workers/weight_files/pickle.h"

#include <bit>
#include <cstring>
#include <map>
#include <optional>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

using Kind = PickledValue::Kind;

constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxKey = 256;  // bytes of a storage's name: PyTorch writes a number
constexpr std::size_t kMaxText = 1 << 20;
constexpr std::size_t kMaxLong = 16;  // bytes of an integer: the magic number of torch.save has 10

std::optional<ElementType> storage_type(std::string_view name) {
  static const std::map<std::string_view, ElementType> kTypes{
      {"torch.FloatStorage", ElementType::f32}, {"torch.DoubleStorage", ElementType::f64},
      {"torch.HalfStorage", ElementType::f16},  {"torch.BFloat16Storage", ElementType::bf16},
      {"torch.LongStorage", ElementType::i64},  {"torch.IntStorage", ElementType::i32},
      {"torch.ShortStorage", ElementType::i16}, {"torch.CharStorage", ElementType::i8},
      {"torch.ByteStorage", ElementType::u8},   {"torch.BoolStorage", ElementType::boolean}};
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor",
                           kTensorV2 = "torch._utils._rebuild_tensor_v2",
                           kParameter = "torch._utils._rebuild_parameter";

bool is_known(std::string_view name) {
  return name == kOrderedDict || name == kTensor || name == kTensorV2 || name == kParameter ||
         storage_type(name).has_value();
}

}  // namespace

class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::string& source, Pickle& pickle)
      : bytes_(bytes), source_(source), pickle_(pickle) {}

  void run() {
    while (!stopped_) step(take(1)[0]);
    if (stack_.size() != 1 || !marks_.empty()) fail("leaves more than one value");
    pickle_.top_ = stack_.back();
    pickle_.size_ = at_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(source_ + ": pickle, byte " + std::to_string(at_) + ": " + what);
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) fail("cut off");
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }
  std::uint64_t unsigned_of(std::size_t count) {
    const std::string_view part = take(count);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[i])) << (8 * i);
    return value;
  }
  std::string text(std::size_t count) {
    if (count > kMaxText) fail("holds a text above 1 MiB");
    return std::string(take(count));
  }
  std::string line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("cut off");
    std::string part = text(end - at_);
    ++at_;
    return part;
  }

  PickledValue& push(Kind kind) {
    if (pickle_.values_.size() >= kMaxValues) fail("holds more than 2 million values");
    PickledValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return value;
  }
  void push_integer(std::int64_t integer) { push(Kind::integer).integer = integer; }
  void push_text(std::string text) { push(Kind::text).text = std::move(text); }

  std::size_t mark() const { return marks_.empty() ? 0 : marks_.back(); }
  PickledValue* pop() {
    if (stack_.size() <= mark()) fail("takes a value that is not there");
    PickledValue* const value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickledValue& top() {
    if (stack_.size() <= mark()) fail("takes a value that is not there");
    return *stack_.back();
  }
  std::vector<const PickledValue*> pop_to_mark() {
    if (marks_.empty()) fail("takes a mark that is not there");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickledValue*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  void push_sequence(std::vector<const PickledValue*> items) {
    push(Kind::sequence).items = std::move(items);
  }
  void push_tuple(std::size_t count) {
    std::vector<const PickledValue*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_sequence(std::move(items));
  }
  void append(const std::vector<const PickledValue*>& items) {
    PickledValue& list = top();
    if (list.kind != Kind::sequence) fail("appends to what is no list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<const PickledValue*>& items) {
    PickledValue& dictionary = top();
    if (dictionary.kind != Kind::dictionary) fail("sets items of what is no dictionary");
    if (items.size() % 2 != 0) fail("sets a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2)
      dictionary.entries.emplace_back(items[i], items[i + 1]);
  }

  void remember(std::size_t place) {
    if (place > kMaxValues) fail("remembers more than 2 million values");
    memo_[place] = &top();
  }
  void recall(std::size_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) fail("recalls a value that is not there");
    stack_.push_back(found->second);
  }

  void push_name(const std::string& module, const std::string& name) {
    const std::string whole = module + "." + name;
    if (!is_known(whole)) {
      fail("asks for " + cluster::printable(whole) +
           "; only tensors, numbers, texts, lists and dictionaries are read");
    }
    push(Kind::name).text = whole;
  }

  std::int64_t integer_of(const PickledValue* value, const char* what) const {
    if (value->kind != Kind::integer) fail(std::string(what) + " is no integer");
    return value->integer;
  }
  std::vector<std::int64_t> integers_of(const PickledValue* value, const char* what) const {
    if (value->kind != Kind::sequence || value->items.size() > kMaxAxes)
      fail(std::string(what) + " is no list of " + std::to_string(kMaxAxes) + " or fewer integers");
    std::vector<std::int64_t> integers;
    for (const PickledValue* item : value->items) integers.push_back(integer_of(item, what));
    return integers;
  }

  // ('storage', type, key, device, elements) and, of old files, a view that is None.
  void push_storage() {
    const PickledValue& id = *pop();
    const auto is_text = [&](std::size_t i) { return id.items[i]->kind == Kind::text; };
    const bool whole = id.kind == Kind::sequence && id.items.size() >= 5 && is_text(0) &&
                       id.items[0]->text == "storage" && id.items[1]->kind == Kind::name &&
                       is_text(2) && is_text(3);
    if (!whole) fail("refers to something that is no storage of numbers");
    if (id.items.size() > 5 && id.items[5]->kind != Kind::none)
      fail("holds a view of a storage, as PyTorch before 0.4 wrote; not read");
    const std::optional<ElementType> type = storage_type(id.items[1]->text);
    if (!type) fail("holds a storage of type " + id.items[1]->text);
    const std::int64_t elements = integer_of(id.items[4], "a storage's size");
    if (elements < 0) fail("holds a storage of negative size");
    const std::string& key = id.items[2]->text;
    if (key.size() > kMaxKey) fail("names a storage by more than 256 bytes");
    push(Kind::storage).storage = {*type, key, elements};
  }

  void call() {
    const PickledValue &arguments = *pop(), &function = *pop();
    if (function.kind != Kind::name || arguments.kind != Kind::sequence)
      fail("calls what is no function");
    const auto& items = arguments.items;
    if (function.text == kOrderedDict) {
      PickledValue& made = push(Kind::dictionary);
      if (items.empty()) return;
      // Written by Python 2: a list of pairs.
      if (items[0]->kind != Kind::sequence) fail("makes an OrderedDict of no list");
      // One list may be called for often: copies would outgrow the file.
      copied_ += items[0]->items.size();
      if (copied_ > kMaxValues) fail("copies more than 2 million values");
      for (const PickledValue* pair : items[0]->items) {
        if (pair->kind != Kind::sequence || pair->items.size() != 2)
          fail("makes an OrderedDict of what are no pairs");
        made.entries.emplace_back(pair->items[0], pair->items[1]);
      }
    } else if (function.text == kTensor || function.text == kTensorV2) {
      if (items.size() < 4 || items[0]->kind != Kind::storage) fail("makes a tensor of no storage");
      PickledTensor tensor{items[0]->storage, integer_of(items[1], "a tensor's offset"),
                           integers_of(items[2], "a tensor's shape"),
                           integers_of(items[3], "a tensor's strides")};
      push(Kind::tensor).tensor = std::move(tensor);
    } else if (function.text == kParameter) {
      if (items.empty() || items[0]->kind != Kind::tensor) fail("makes a parameter of no tensor");
      PickledTensor tensor = items[0]->tensor;
      push(Kind::tensor).tensor = std::move(tensor);
    } else {
      fail("calls " + function.text);
    }
  }

  void push_long(std::size_t count) {
    if (count > kMaxLong) fail("holds an integer of more than 16 bytes");
    const std::string_view part = take(count);
    constexpr std::size_t kWhole = 8;
    std::uint64_t value = count > 0 && (part.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < std::min(count, kWhole); ++i) {
      value &= ~(std::uint64_t{0xff} << (8 * i));
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[i])) << (8 * i);
    }
    PickledValue& number = push(Kind::integer);
    number.integer = static_cast<std::int64_t>(value);
    number.text = std::string(part);  // the magic number is longer than 8 bytes
  }

  void push_number() {
    std::uint64_t bits = 0;
    for (const char byte : take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
    push(Kind::number).number = std::bit_cast<double>(bits);
  }

  void step(char instruction) {
    switch (static_cast<unsigned char>(instruction)) {
      case 0x80: {  // protocol
        const std::uint64_t protocol = unsigned_of(1);
        if (protocol < 2 || protocol > 5) fail("is of protocol " + std::to_string(protocol));
        return;
      }
      case 0x95:  // frame: its length
        unsigned_of(8);
        return;
      case '(':
        marks_.push_back(stack_.size());
        return;
      case '.':
        stopped_ = true;
        return;
      case '0':
        pop();
        return;
      case '1':
        pop_to_mark();
        return;
      case '2':
        stack_.push_back(&top());
        return;
      case 'N':
        push(Kind::none);
        return;
      case 0x88:
      case 0x89:
        push(Kind::boolean).integer = static_cast<unsigned char>(instruction) == 0x88 ? 1 : 0;
        return;
      case 'J':
        return push_integer(static_cast<std::int32_t>(unsigned_of(4)));
      case 'K':
        return push_integer(static_cast<std::int64_t>(unsigned_of(1)));
      case 'M':
        return push_integer(static_cast<std::int64_t>(unsigned_of(2)));
      case 0x8a:
        return push_long(unsigned_of(1));
      case 0x8b:
        return push_long(unsigned_of(4));
      case 'G':
        return push_number();
      case 'X':
      case 'T':
        return push_text(text(unsigned_of(4)));
      case 0x8c:
      case 'U':
        return push_text(text(unsigned_of(1)));
      case 0x8d:
        return push_text(text(unsigned_of(8)));
      case ')':
      case ']':
        return push_sequence({});
      case '}':
        push(Kind::dictionary);
        return;
      case 't':
      case 'l':
        return push_sequence(pop_to_mark());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple(static_cast<unsigned char>(instruction) - 0x84u);
      case 'd': {
        const auto items = pop_to_mark();
        push(Kind::dictionary);
        return set_items(items);
      }
      case 'a': {
        const PickledValue* item = pop();
        return append({item});
      }
      case 'e': {
        const auto items = pop_to_mark();
        return append(items);
      }
      case 's': {
        const PickledValue *value = pop(), *key = pop();
        return set_items({key, value});
      }
      case 'u': {
        const auto items = pop_to_mark();
        return set_items(items);
      }
      case 'q':
        return remember(unsigned_of(1));
      case 'r':
        return remember(unsigned_of(4));
      case 0x94:
        return remember(memo_.size());
      case 'h':
        return recall(unsigned_of(1));
      case 'j':
        return recall(unsigned_of(4));
      case 'c': {
        const std::string module = line(), name = line();
        return push_name(module, name);
      }
      case 0x93: {
        const PickledValue &name = *pop(), &module = *pop();
        if (name.kind != Kind::text || module.kind != Kind::text) fail("asks for what is no name");
        return push_name(module.text, name.text);
      }
      case 'Q':
        return push_storage();
      case 'R':
        return call();
      case 'b':  // attributes of an OrderedDict: versions of modules, of no use here
        pop();
        if (top().kind != Kind::dictionary) fail("gives attributes to what has none");
        return;
      default:
        fail("holds instruction " + std::to_string(static_cast<unsigned char>(instruction)) +
             ", which no file of tensors needs");
    }
  }

  std::string_view bytes_;
  const std::string& source_;
  Pickle& pickle_;
  std::size_t at_ = 0, copied_ = 0;
  bool stopped_ = false;
  std::vector<PickledValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::size_t, PickledValue*> memo_;
};

Pickle::Pickle(std::string_view bytes, const std::string& source) {
  PickleMachine(bytes, source, *this).run();
}

}  // namespace marquee::workers
