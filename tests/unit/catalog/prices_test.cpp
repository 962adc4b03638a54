// SPDX-License-Identifier: MIT
// Price lists: rows as https://github.com/skypilot-org/skypilot-catalog has them, costs counted by hand.
#include <string>

#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {
namespace {

// Of catalogs/v8/aws/vms.csv at commit 00148f2: a machine in two regions, one that is only rented as spot, one that the
// catalogue lacks, a part of a GPU, and no GPU at all.
const std::string kAws =
    R"(InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
p4d.24xlarge,A100,8.0,96.0,1152.0,"{'Gpus': [{'Name': 'A100', 'Count': 8}], 'TotalGpuMemoryInMiB': 327680}",23.71569,9.759800,eu-west-1,euw1-az2,x86_64
p4d.24xlarge,A100,8.0,96.0,1152.0,"{'Gpus': [{'Name': 'A100', 'Count': 8}], 'TotalGpuMemoryInMiB': 327680}",21.957642,8.191500,us-east-1,use1-az2,x86_64
p4d.24xlarge,A100,8.0,96.0,1152.0,"{'Gpus': [{'Name': 'A100', 'Count': 8}], 'TotalGpuMemoryInMiB': 327680}",23.71569,6.165700,eu-north-1,eun1-az3,x86_64
p5e.48xlarge,H200,8.0,192.0,2048.0,,,19.538700,us-west-2,usw2-az3,x86_64
p5e.48xlarge,H200,8.0,192.0,2048.0,,,,us-east-2,use2-az2,x86_64
gr6.4xlarge,L4,1.0,16.0,128.0,,1.5392,0.382800,us-east-2,use2-az3,x86_64
g6f.large,L4,0.125,2.0,8.0,,0.2,,us-east-2,use2-az3,x86_64
a1.2xlarge,,,8.0,16.0,,0.2568,0.256800,ap-northeast-1,apne1-az2,arm64
)";

// Of catalogs/v8/gcp/vms.csv at commit 006059e: a host, and its GPUs apart (their price here is made up).
const std::string kGcp =
    R"(InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a2-highgpu-8g,96.0,680.0,,,,us-central1,us-central1-a,5.91582,2.958
a2-highgpu-8g,96.0,680.0,,,,us-west4,us-west4-b,1.0,1.0
,,,A100,8.0,,us-central1,us-central1-a,20,10
,,,A100,4.0,,us-west4,us-west4-b,1,1
)";

Catalog with(const std::string& text, const AskedPrices& asked = {}, const std::string& date = "") {
  auto prices = PriceList::read(text, "list", date, asked);
  REQUIRE(prices);
  auto catalog = Catalog::built_in().with_prices(std::move(*prices), asked);
  REQUIRE(catalog);
  return *catalog;
}

std::string error_of(const std::string& text) {
  auto prices = PriceList::read(text, "list", "", {});
  if (prices) {
    auto catalog = Catalog::built_in().with_prices(std::move(*prices), {});
    REQUIRE_FALSE(catalog);
    return catalog.error().place + ": " + catalog.error().rule;
  }
  return prices.error().place + ": " + prices.error().rule;
}

const AskedPrices kSpot{{}, true, ""};
const std::string kHeader = "Region,Price,InstanceType,AcceleratorCount,AcceleratorName\n";

}  // namespace

TEST_CASE("a list's price is that of the region where the machine costs least, on demand or as spot") {
  const Catalog catalog = with(kAws, {}, "2026-11-01");
  const auto price = catalog.machine("p4d.24xlarge")->price;
  CHECK(price == hardware::Price{base::Usd(21.957642), "list", "2026-11-01", "us-east-1", false, {}});
  CHECK(catalog.machine("p4d.24xlarge")->spot_price ==
        hardware::Price{base::Usd(6.1657), "list", "2026-11-01", "eu-north-1", true, {}});
  CHECK(with(kAws, kSpot).machine("p4d.24xlarge")->price ==
        hardware::Price{base::Usd(6.1657), "list", "", "eu-north-1", true, {}});
}

TEST_CASE("a machine that is not rented on demand has no price but as spot") {
  CHECK_FALSE(with(kAws).machine("p5e.48xlarge")->price);
  CHECK(with(kAws, kSpot).machine("p5e.48xlarge")->price->per_hour == base::Usd(19.5387));
}

TEST_CASE("machines that the catalogue lacks are priced by their GPUs, parts of a GPU are none") {
  const auto machines = with(kAws).machines_with("l4");
  REQUIRE(machines);
  REQUIRE(machines->size() == 1);
  CHECK(machines->front().name == "gr6.4xlarge");
  CHECK(machines->front().price->per_hour == base::Usd(1.5392));
  CHECK(Catalog::built_in().machines_with("l4")->empty());
}

TEST_CASE("what a list does not have keeps the catalogue's price") {
  CHECK(with(kAws).machine("g4dn.xlarge")->price == Catalog::built_in().machine("g4dn.xlarge")->price);
}

TEST_CASE("only prices of the regions that are asked for count, of the list and of the catalogue") {
  const auto price = [](const AskedPrices& asked, const std::string& machine) {
    return with(kAws, asked).machine(machine)->price;
  };
  CHECK(price({{"eu-north-1"}, false, ""}, "p4d.24xlarge")->per_hour == base::Usd(23.71569));
  CHECK(price({{"eu-north-1", "us-east-1"}, false, ""}, "p4d.24xlarge")->region == "us-east-1");
  CHECK(price({{"eu-west-1"}, true, ""}, "p4d.24xlarge")->per_hour == base::Usd(9.7598));
  CHECK_FALSE(price({{"eu-west-1"}, false, ""}, "g4dn.xlarge"));  // the catalogue's is of us-east-1
  CHECK(price({{"us-east-1"}, false, ""}, "g4dn.xlarge"));
  CHECK(with(kAws, {{"eu-west-1"}, false, ""}).machines_with("l4")->empty());
}

TEST_CASE("a region that no price is of is a mistake, and the nearest is named") {
  const auto error = Catalog::built_in().with_prices({}, {{"us-est-1"}, false, ""});
  REQUIRE_FALSE(error);
  CHECK(error.error().place == "region");
  CHECK(error.error().rule == "no price is of 'us-est-1'");
  CHECK(error.error().remedy.find("us-east-1") != std::string::npos);
}

TEST_CASE("a price is as old as the day says that is asked about, by an interval where no more is known") {
  const auto age = [](const std::string& date, const std::string& today) {
    return with(kAws, {{}, false, today}, date).machine("p4d.24xlarge")->price->age;
  };
  CHECK(age("2026-10-30", "2026-11-29") == hardware::PriceAge{"2026-11-29", 30, 30});
  CHECK(age("2026-10-30/2026-11-28", "2026-11-29") == hardware::PriceAge{"2026-11-29", 1, 30});
  CHECK(age("2026-10-30/2026-12-24", "2026-11-29") == hardware::PriceAge{"2026-11-29", 0, 30});
  CHECK_FALSE(age("2026-10-30", ""));
  CHECK_FALSE(age("2026-10-30", "2026-10-29"));
  CHECK_FALSE(age("autumn", "2026-11-29"));
  const auto built_in = Catalog::built_in().with_prices({}, {{}, false, "2026-11-29"});
  CHECK(built_in->machine("ND96asr_v4")->price->age == hardware::PriceAge{"2026-11-29", 824, 824});  // date -d
}

TEST_CASE("hosts and GPUs that are priced apart are added where both are to be had") {
  CHECK(with(kGcp).machine("a2-highgpu-8g")->price ==
        hardware::Price{base::Usd(25.91582), "list", "", "us-central1", false, {}});
  CHECK(with(kGcp).machine("a2-highgpu-8g")->spot_price->per_hour == base::Usd(12.958));
}

TEST_CASE("a list of one's own names machines of the catalogue, or GPUs of it") {
  const Catalog catalog = with(R"({"date": "2026-11-20", "prices": [
      {"machine": "g4dn.xlarge", "usd_per_hour": 0.4, "spot_usd_per_hour": 0.1, "region": "here"},
      {"machine": "ours", "gpu": "l4", "gpu_count": 2, "usd_per_hour": 3}]})");
  CHECK(catalog.machine("g4dn.xlarge")->price ==
        hardware::Price{base::Usd(0.4), "list", "2026-11-20", "here", false, {}});
  CHECK(catalog.machines_with("l4")->front().gpu_count == 2);
}

TEST_CASE("columns come in any order, and blank lines and those of others do no harm") {
  const Catalog catalog = with(
      "Arch,Region,Price,InstanceType,AcceleratorCount,AcceleratorName\r\n\r\n"
      "x,here,2,g4dn.xlarge,1,T4\r\n");
  CHECK(catalog.machine("g4dn.xlarge")->price->per_hour == base::Usd(2));
}

TEST_CASE("what is wrong in a list is told with its line and column, or its JSON pointer") {
  CHECK(error_of("a,b\n1,2\n") == "list:1: has no column InstanceType");
  CHECK(error_of("Price," + kHeader) == "list:1:14: names the column Price a second time");
  CHECK(error_of(kHeader) == "list: has no price of a machine with GPUs");
  CHECK(error_of(kHeader + "here,2,m\n") == "list:2: has 3 columns, and the header 5");
  CHECK(error_of(kHeader + "\nhere,two,m,1,T4\n") == "list:3:6: Price takes a number from 0 to 1000000, not 'two'");
  CHECK(error_of(kHeader + "here,-1,m,1,T4\n") == "list:2:6: Price takes a number from 0 to 1000000, not '-1'");
  CHECK(error_of(kHeader + "here,nan,m,1,T4\n") == "list:2:6: Price takes a number from 0 to 1000000, not 'nan'");
  CHECK(error_of(kHeader + "here,1,m,1e9,T4\n") ==
        "list:2:10: AcceleratorCount takes a number from 0 to 4096, not '1e9'");
  CHECK(error_of(kHeader + "here,1,m,1,\"T4\n") == "list:2:12: opens a quote that the line does not close");
  CHECK(error_of(R"({"date": "d", "prices": [{"machine": "m", "gpu": "l4"}]})") ==
        "list:/prices/0/usd_per_hour: is missing");
  CHECK(error_of(R"({"date": "d", "prices": [{"machine": "m", "usd_per_hour": 1}]})") ==
        "list:/prices/0/machine: 'm' is no machine of the catalogue");
  CHECK(error_of(R"({"date": "d", "prices": [{"machine": "m", "gpu": "l44", "usd_per_hour": 1}]})")
            .starts_with("list:/prices/0/gpu: "));
}

}  // namespace vggplan::catalog
