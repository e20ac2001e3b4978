// marquee sample: images of a finished run, of a prompt file, or of a base as it was pretrained:
// classes, training images, a marquee header over either, or an image of the run once more.
#include <cstdio>
#include <iostream>
#include <optional>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/number_list.h"
#include "datasets/encode_png.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/key_words.h"
#include "experiments/waypoints.h"
#include "workers/commands/commands.h"
#include "workers/image_tensor.h"
#include "workers/runs/film_strip.h"
#include "workers/runs/generator.h"
#include "workers/runs/sampling.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr int kMaxImages = 10'000;
constexpr int kColumns = 10;
constexpr int kFilmImages = 10, kFilmColumns = 12;

bool given(const po::variables_map& values, const char* option) {
  return values.count(option) != 0;
}

// "3,17,42": numbers in [0, limit).
std::vector<std::int64_t> numbers(const po::variables_map& values, const char* option,
                                  std::int64_t limit, const std::string& of) {
  const std::string text = values[option].as<std::string>();
  auto list = cluster::parse_numbers(text, limit);
  if (!list) {
    cluster::throw_usage("--" + std::string(option) + " is '" + text +
                         "'; expected numbers from 0 to " + std::to_string(limit - 1) + " " + of +
                         ", such as 0,2");
  }
  return *std::move(list);
}

Generator generator_of(const po::variables_map& values) {
  const std::string source = values["source"].as<std::string>(),
                    prompt = values["prompt"].as<std::string>(),
                    base = values["base"].as<std::string>();
  if ((source.empty() ? 0 : 1) + (prompt.empty() ? 0 : 1) + (base.empty() ? 0 : 1) != 1)
    cluster::throw_usage("name one of RUN, --prompt FILE and --base NAME to sample from");
  const fs::path assets = experiments::find_assets_dir(values["assets"].as<std::string>());
  if (!base.empty()) return Generator::of_base(base, assets);
  return prompt.empty() ? Generator::of_run(source, assets) : Generator::of_prompt(prompt, assets);
}

// What the command line says instead of the run.
void change_settings(experiments::RunConfig& run, const po::variables_map& values, bool of_base) {
  const bool autoregressive = run.family == experiments::kAutoregressive;
  const auto only_for = [&](const char* option, bool fits, const char* family) {
    if (given(values, option) && !fits)
      cluster::throw_usage("--" + std::string(option) + " goes with " + family + " base");
  };
  only_for("steps", !autoregressive, "a masked");
  only_for("top-k", autoregressive, "an autoregressive");
  only_for("top-p", autoregressive, "an autoregressive");
  if (of_base) run.decode_steps = 12;  // the official default
  if (given(values, "seed")) run.seed = values["seed"].as<std::uint64_t>();
  if (given(values, "steps")) run.decode_steps = values["steps"].as<int>();
  if (given(values, "temperature"))
    (autoregressive ? run.temperature : run.choice_temperature) =
        values["temperature"].as<double>();
  if (given(values, "top-k")) run.top_k = values["top-k"].as<int>();
  if (given(values, "top-p")) run.top_p = values["top-p"].as<double>();
  if (run.decode_steps < 1 || run.decode_steps > 1024)
    cluster::throw_usage("--steps must lie in 1..1024");
  if (!(run.temperature >= 0 && run.temperature <= 1000) ||
      !(run.choice_temperature >= 0 && run.choice_temperature <= 1000))
    cluster::throw_usage("--temperature must lie in 0..1000");
  if (run.top_k < 0) cluster::throw_usage("--top-k must not be below 0");
  if (!(run.top_p >= 0 && run.top_p <= 1)) cluster::throw_usage("--top-p must lie in 0..1");
}

void change_marquee(experiments::RunConfig& run, const po::variables_map& values) {
  if (given(values, "marquee-schedule"))
    run.marquee_schedule = values["marquee-schedule"].as<std::string>();
  if (given(values, "marquee-space")) run.marquee_space = values["marquee-space"].as<std::string>();
  if (!given(values, "marquee")) return;
  if (run.method != "prompt")
    cluster::throw_usage("--marquee moves between prompts; method " + run.method + " has none");
  if (run.family == experiments::kAutoregressive)
    cluster::throw_usage(
        "--marquee needs a masked base: an autoregressive one reads its prompts once");
  run.marquee = values["marquee"].as<std::string>();
  // A list alone: of what the generator knows, training images first.
  if (!run.marquee.empty() && run.marquee.find_first_not_of("0123456789,") == std::string::npos)
    run.marquee = (experiments::knows_instances(run) ? "instances:" : "classes:") + run.marquee;
  experiments::check_waypoints(run);
}

void refuse_beside(const po::variables_map& values, const char* option,
                   std::initializer_list<const char*> others) {
  for (const char* other : others) {
    if (given(values, option) && given(values, other)) {
      cluster::throw_usage("--" + std::string(other) + " says nothing beside --" + option);
    }
  }
}

struct Made {
  Tensor tokens, labels, instances;  // int64 [n, N], [n], [n] (undefined: none)
};

// Images as they come, batch by batch.
class Collected {
 public:
  void add(Tensor tokens, const Subjects& subjects) {
    tokens_.push_back(std::move(tokens));
    labels_.push_back(labels_of(subjects));
    if (subjects.back().instances.defined()) instances_.push_back(subjects.back().instances);
  }
  Made all() const {
    return {at::cat(tokens_), at::cat(labels_),
            instances_.empty() ? Tensor() : at::cat(instances_)};
  }

 private:
  std::vector<Tensor> tokens_, labels_, instances_;
};

// Images of the run, each alone, as they are among the others.
Made made_again(const Generator& generator, const Adapter& adapter,
                const std::vector<std::int64_t>& places, FilmStrip* film) {
  Collected images;
  for (const std::int64_t index : places) {
    const Subjects subjects = subjects_of_image(generator.run, index, generator.task);
    images.add(sample_image_tokens(generator.run, adapter, subjects, index,
                                   film != nullptr ? film->observer() : FrameObserver()),
               subjects);
  }
  return images.all();
}

// The subjects of images [first, first + count): entries of the lists in turn.
class Wanted {
 public:
  Wanted(const Generator& generator, const po::variables_map& values) : generator_(generator) {
    const TaskClasses& task = generator.task;
    if (given(values, "class")) classes_ = numbers(values, "class", task.classes, "(classes)");
    if (!given(values, "instance")) return;
    if (task.instances() == 0) {
      cluster::throw_usage("--instance: this generator was not told training images (conditions '" +
                           generator.run.conditions + "' of method " + generator.run.method + ")");
    }
    instances_ = numbers(values, "instance", task.instances(), "(training images)");
  }

  Subjects subjects(std::int64_t first, std::int64_t count) const {
    const Tensor places = torch::arange(first, first + count, torch::kInt64);
    if (!instances_.empty()) {
      const Tensor chosen = in_turn(instances_, places);
      return {{classes_.empty() ? generator_.task.instance_labels.index_select(0, chosen)
                                : in_turn(classes_, places),
               chosen}};
    }
    // A class alone leaves the training images out.
    if (!classes_.empty()) return {in_turn(classes_, places)};
    return subjects_of(generator_.run,
                       labels_of_samples(generator_.task, first + count).narrow(0, first, count),
                       static_cast<std::uint64_t>(first), generator_.task);
  }

 private:
  static Tensor in_turn(const std::vector<std::int64_t>& list, const Tensor& places) {
    return id_tensor(list).index_select(0, places % std::ssize(list));
  }

  const Generator& generator_;
  std::vector<std::int64_t> classes_, instances_;
};

Made made(const Generator& generator, const Adapter& adapter, const Wanted& wanted, int count,
          FilmStrip* film) {
  Collected images;
  for (int first = 0; first < count; first += generator.run.decode_batch) {
    const std::int64_t size = std::min(generator.run.decode_batch, count - first);
    const Subjects subjects = wanted.subjects(first, size);
    const bool filmed = film != nullptr && first < kFilmImages;
    images.add(adapter.sample_tokens(generator.run, subjects, static_cast<std::uint64_t>(first),
                                     filmed ? film->observer() : FrameObserver()),
               subjects);
  }
  return images.all();
}

std::vector<datasets::Image> images_of(const Generator& generator, const Tensor& tokens) {
  std::vector<datasets::Image> images;
  for (const Tensor& part : tokens.split(generator.run.decode_batch)) {
    for (datasets::Image& image : to_images(generator.base().tokenizer.decode(part)))
      images.push_back(std::move(image));
  }
  return images;
}

// DIR/00000.png and so on, named by their place among the images made.
void write_each(const fs::path& folder, const std::vector<datasets::Image>& images) {
  cluster::create_directories_durably(folder);
  for (std::size_t i = 0; i < images.size(); ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "%05zu.png", i);
    datasets::write_png(folder / name, images[i]);
  }
}

void write_tokens(const fs::path& file, const Generator& generator, const Made& made) {
  ParameterMap tensors{{"tokens", made.tokens.to(torch::kInt32)},
                       {"labels", made.labels.to(torch::kInt32)}};
  if (made.instances.defined()) tensors["instances"] = made.instances.to(torch::kInt32);
  write_safetensors(file, tensors,
                    {{"base", generator.run.base},
                     {"base_hash", generator.base().base_hash},
                     {"seed", std::to_string(generator.run.seed)}});
}

void declare(cluster::CommandLine& line) {
  line.usage = "marquee sample RUN | --prompt FILE | --base NAME --out FILE.png [options]";
  line.text =
      "Generates images from RUN (the folder of a finished run or attempt, or its result.h5), "
      "from\n"
      "a prompt file, or from a base as it was pretrained. Without further options they are the\n"
      "run's own images.\n\n"
      "  marquee sample results/runs/ID --class 3 --count 20 --out river.png\n"
      "  marquee sample results/runs/ID --index 17 --film film.png --out image_17.png\n"
      "  marquee sample --prompt eurosat.safetensors --marquee 3,17,42 --out moving.png\n"
      "  marquee sample --base mini_ar --class 5 --count 10 --out five.png";
  po::options_description& options = line.options;
  options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("FILE")->required(),
       "PNG file to write: a grid")  //
      ("prompt", po::value<std::string>()->value_name("FILE")->default_value(""),
       "file of marquee export prompt")  //
      ("base", po::value<std::string>()->default_value(""), "a base, with its own classes");
  po::options_description what("What images show");
  what.add_options()  //
      ("class", po::value<std::string>(),
       "classes of the images, in turn: 3 or 3,17 (default: all of them)")  //
      ("instance", po::value<std::string>(),
       "training images that they are like, in turn; with --class of those classes")  //
      ("marquee", po::value<std::string>(),
       "prompts move while decoding: 3,17,42 (training images where the generator knows them, "
       "else classes), classes:3,17, instances, classes, none")  //
      ("marquee-schedule", cluster::one_of(experiments::key_words("marquee_schedule")),
       "how they move")  //
      ("marquee-space", cluster::one_of(experiments::key_words("marquee_space")),
       "finished prompts move, or what they are made of")  //
      ("index", po::value<std::string>(),
       "these images of the run again, each alone: 17 or 0,17 (the same bits at one thread)")  //
      ("count", po::value<int>(), "number of images (default 30)")                             //
      ("seed", po::value<std::uint64_t>(), "seed of the samples (default: the run's)");
  po::options_description how("How they are decoded (default: as in the run)");
  how.add_options()                                                   //
      ("steps", po::value<int>(), "decoding steps of a masked base")  //
      ("temperature", po::value<double>(),
       "of choosing places (masked), or of the next token (autoregressive; 0: the most likely)")  //
      ("top-k", po::value<int>(), "autoregressive: only the k most likely tokens; 0: all")        //
      ("top-p", po::value<double>(),
       "autoregressive: of those the most likely with this share of the probability");
  po::options_description output("What else is written");
  output.add_options()  //
      ("columns", po::value<int>()->default_value(kColumns),
       "images in a row of the grid, at most")                                                   //
      ("images", po::value<std::string>()->value_name("DIR"), "folder for each image as a PNG")  //
      ("film", po::value<std::string>()->value_name("FILE"),
       "PNG of the decoding steps of the first ten images, a row each; grey: not settled yet")  //
      ("tokens", po::value<std::string>()->value_name("FILE"),
       "safetensors of tokens and labels")                                             //
      ("threads", po::value<int>()->default_value(0), "threads (default: the run's)")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models");
  options.add(what).add(how).add(output);
  line.hidden.add_options()("source",
                            po::value<std::string>()->value_name("DIR")->default_value(""), "RUN");
  line.positional.add("source", 1);
}

}  // namespace

int sample_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  declare(line);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const int columns = values["columns"].as<int>();
  if (columns < 1) cluster::throw_usage("--columns must be at least 1");
  const int count = given(values, "count") ? values["count"].as<int>() : 30;
  if (count < 1 || count > kMaxImages)
    cluster::throw_usage("--count must lie in 1.." + std::to_string(kMaxImages));
  refuse_beside(values, "index",
                {"class", "instance", "marquee", "marquee-schedule", "marquee-space", "count",
                 "seed", "steps", "temperature", "top-k", "top-p"});
  refuse_beside(values, "marquee", {"class", "instance"});

  Generator generator = generator_of(values);
  const bool of_base = !values["base"].as<std::string>().empty();
  if (of_base && given(values, "index"))
    cluster::throw_usage("--index goes with a run or its prompt file; a base has no images yet");
  const int threads = values["threads"].as<int>();
  at::set_num_threads(threads > 0 ? threads : generator.run.threads);
  at::set_num_interop_threads(1);
  change_settings(generator.run, values, of_base);
  change_marquee(generator.run, values);

  const Wanted wanted(generator, values);
  std::optional<FilmStrip> film;
  if (given(values, "film")) film.emplace(kFilmImages, kFilmColumns);
  FilmStrip* strip = film ? &*film : nullptr;
  const std::unique_ptr<Adapter> adapter = generator.adapter();
  const torch::InferenceMode inference;
  const Made all =
      given(values, "index")
          ? made_again(generator, *adapter,
                       numbers(values, "index", generator.run.samples, "(images of the run)"),
                       strip)
          : made(generator, *adapter, wanted, count, strip);
  const std::vector<datasets::Image> images = images_of(generator, all.tokens);

  const std::string out = values["out"].as<std::string>();
  datasets::write_png(
      out, datasets::make_grid(images, std::min(columns, static_cast<int>(images.size()))));
  std::cout << out << "\n";
  if (given(values, "images")) {
    write_each(values["images"].as<std::string>(), images);
    std::cout << values["images"].as<std::string>() << "\n";
  }
  if (film) {
    datasets::write_png(
        values["film"].as<std::string>(),
        datasets::make_grid(film->pictures(generator.base().tokenizer), film->columns()));
    std::cout << values["film"].as<std::string>() << "\n";
  }
  if (given(values, "tokens")) {
    write_tokens(values["tokens"].as<std::string>(), generator, all);
    std::cout << values["tokens"].as<std::string>() << "\n";
  }
  return 0;
}

}  // namespace marquee::workers
